/**
 * Reads a Dockerfile (https://docs.docker.com/reference/dockerfile/) into its instructions. Pure. What buildah is given is written
 * anew from them, so that it runs nothing that was not looked at here.
 */
import { UserError } from '../../platform/index.ts';

export interface Instruction {
  /** In upper case. */
  keyword: string;
  /** Words with `--` in front of the arguments. */
  flags: readonly string[];
  rest: string;
  /** What people are shown for `rest`, where that is not what the file says. */
  shown?: string;
  /** Line of the file at which it begins, from 1. */
  line: number;
}

export interface Dockerfile {
  /** How messages call it. */
  file: string;
  escaping: string;
  instructions: readonly Instruction[];
}

const KEYWORDS = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
);
const FLAGGED = new Set(['ADD', 'COPY', 'FROM', 'HEALTHCHECK', 'RUN']);

/** Bytes of one instruction: buildah reads lines of 64 KiB at most, and we write some words in front. */
const MAX_BYTES = 60_000;

/** Throws UserError INVALID that names the line. */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  const escaping = escapeOf(lines);
  const continued = escaping === '`' ? /`[ \t]*$/ : /\\[ \t]*$/;
  const instructions: Instruction[] = [];
  let open: { text: string; line: number } | undefined;
  const close = () => {
    if (open && continued.test(open.text)) {
      // What is written anew from it would go on in the next instruction.
      throw lineError(file, open.line, 'this instruction ends with a lone escape character', 'Remove it.');
    }
    if (open) instructions.push(instructionOf(open.text, open.line, file));
    open = undefined;
  };
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    // In the middle of an instruction, too.
    if (/^\s*(#|$)/.test(line)) continue;
    const body = line.replace(continued, '');
    open = open ? { ...open, text: open.text + body } : { text: body, line: index + 1 };
    if (body !== line) continue;
    const script = hereScript(open.text, lines.slice(index + 1));
    if (script === 'open') {
      throw lineError(
        file,
        open.line,
        'this here-document has no end',
        'Write its word alone on a line below it.',
      );
    }
    if (script) {
      instructions.push({
        ...instructionOf(`${script.beginning}${script.command}`, open.line, file),
        shown: script.shown,
      });
      index += script.lines;
      open = undefined;
    } else close();
  }
  close();
  return { file, escaping, instructions };
}

/** Reads an instruction that stands alone, as what ONBUILD keeps. Throws UserError INVALID. */
export function instructionOf(text: string, line: number, file: string): Instruction {
  const match = /^[\s\x85]*([^\s\x85]+)[\s\x85]*([\s\S]*?)[\s\x85]*$/.exec(text);
  const keyword = match?.[1]?.toUpperCase() ?? '';
  if (!KEYWORDS.has(keyword)) {
    throw lineError(
      file,
      line,
      `there is no instruction ${quoted(match?.[1] ?? '')}`,
      'Mend that line; a line that goes on in the next one ends with a backslash.',
    );
  }
  let rest = match?.[2] ?? '';
  const flags: string[] = [];
  for (let flag = nextFlag(keyword, rest); flag; flag = nextFlag(keyword, rest)) {
    flags.push(flag);
    rest = rest.slice(flag.length).replace(/^[\s\x85]+/, '');
  }
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw lineError(
      file,
      line,
      `this instruction is longer than ${MAX_BYTES} bytes`,
      'Put it in a file, and COPY that.',
    );
  }
  if (rest === '') {
    throw lineError(file, line, `${keyword} says nothing`, 'Complete that line.');
  }
  if (['ADD', 'COPY', 'RUN'].includes(keyword) && /(?:^|\s)<<-?["']?[A-Za-z_]/.test(rest)) {
    throw lineError(
      file,
      line,
      `${keyword} takes no here-documents here`,
      'Put the text in a file of the folder that is built.',
    );
  }
  return { keyword, flags, rest, line };
}

/** A word that begins a here-document. */
const HERE = /^\d*<<(-?)(["']?)([A-Za-z_][\w.-]*)\2$/g;

/**
 * The command of a RUN with here-documents, in one line, as buildah wants it: the shell puts it together again, and runs it.
 * `lines`: how many follow that belong to it. Undefined: there are none; `open`: one of them does not end.
 */
function hereScript(
  text: string,
  following: readonly string[],
): { beginning: string; command: string; shown: string; lines: number } | 'open' | undefined {
  const [, beginning, command = ''] = /^(\s*RUN\s+(?:--\S+\s+)*)(.*?)\s*$/is.exec(text) ?? [];
  const documents = command.split(/\s+/).flatMap((word) => [...word.matchAll(HERE)]);
  if (beginning === undefined || documents.length === 0) return undefined;
  let lines = 0;
  const bodies: string[] = [];
  for (const [, indented, , end] of documents) {
    const untab = (line: string) => (indented ? line.replace(/^\t+/, '') : line);
    const length = following.slice(lines).findIndex((line) => untab(line) === end);
    if (length < 0) return 'open';
    bodies.push(
      following
        .slice(lines, lines + length)
        .map((line) => `${untab(line)}\n`)
        .join(''),
    );
    lines += length + 1;
  }
  const [body = ''] = bodies;
  const alone = documents[0]?.[0] === command;
  const script = alone ? body : `${command}\n${following.slice(0, lines).join('\n')}\n`;
  return {
    beginning,
    command: alone && body.startsWith('#!') ? runAsFile(body) : `eval "$(${printed(script)})"`,
    shown: command,
    lines,
  };
}

/** A document with an interpreter of its own becomes a program. */
function runAsFile(program: string): string {
  return `f=$(mktemp) && ${printed(program)} >"$f" && chmod 700 "$f" && { "$f"; s=$?; rm -f "$f"; exit $s; }`;
}

/** A shell's command that prints a text, in one line: what a shell or buildah could act on is written by its number. */
function printed(text: string): string {
  const safe = /[A-Za-z0-9 _.,:;=+/@-]/;
  const bytes = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return byte < 128 && safe.test(character) ? character : `\\0${byte.toString(8).padStart(3, '0')}`;
  });
  return `printf %b '${bytes.join('')}'`;
}

/** Blanks are those of Go (U+0085 is none in JavaScript): nothing may be a flag to buildah that was none here. */
function nextFlag(keyword: string, rest: string): string | undefined {
  return FLAGGED.has(keyword) ? /^--[^\s\x85]+/.exec(rest)?.[0] : undefined;
}

/** The instruction on one line. */
export function textOf({ keyword, flags, rest }: Pick<Instruction, 'keyword' | 'flags' | 'rest'>): string {
  return [keyword, ...flags, rest].join(' ');
}

/** As `textOf`, short and without what a terminal would act on. */
export function shownText({
  shown,
  ...instruction
}: Pick<Instruction, 'keyword' | 'flags' | 'rest' | 'shown'>): string {
  const text = textOf({ ...instruction, rest: shown ?? instruction.rest }).replace(/\p{Cc}+|\s+/gu, ' ');
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}

/** `reason` goes on behind `FILE:LINE: `. */
export function lineError(file: string, line: number, reason: string, hint: string): UserError {
  return new UserError('INVALID', `${file}:${line}: ${reason}.`, hint);
}

/** Directives are comments before everything else; of them, this one changes how the file is read. */
function escapeOf(lines: readonly string[]): string {
  for (const line of lines) {
    const directive = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S+)\s*$/.exec(line);
    if (!directive) break;
    if (directive[1]?.toLowerCase() === 'escape') return directive[2] === '`' ? '`' : '\\';
  }
  return '\\';
}
