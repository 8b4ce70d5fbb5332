/**
 * Reads a Dockerfile (https://docs.docker.com/reference/dockerfile/) into its instructions. Pure. What buildah is given is written
 * anew from them, so that it runs nothing that was not looked at here.
 */
import { UserError } from '../../../platform/index.ts';

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
/** Far more than an image may have layers. */
const MAX_INSTRUCTIONS = 2000;

/** Throws UserError INVALID that names the line. Takes time in proportion to the text, whatever it is. */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .map((line) => line.replace(/\r$/, ''));
  const escaping = escapeOf(lines);
  // As with Docker, a line goes on behind one escape character, not behind two. buildah 1.28 goes on behind any number.
  const continued = escaping === '`' ? /(^|[^`])`[ \t]*$/ : /(^|[^\\])\\[ \t]*$/;
  const escaped = escaping === '`' ? /`[ \t]*$/ : /\\[ \t]*$/;
  const instructions: Instruction[] = [];
  let open: { text: string; line: number } | undefined;
  const close = () => {
    if (open && escaped.test(open.text)) {
      throw lineError(
        file,
        open.line,
        'this instruction ends with an escape character',
        'Write something behind it, or take it away.',
      );
    }
    if (open) instructions.push(instructionOf(open.text, open.line, file));
    open = undefined;
  };
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    // In the middle of an instruction, too.
    if (/^\s*(#|$)/.test(line)) continue;
    const body = line.replace(continued, '$1');
    open = open ? { ...open, text: open.text + body } : { text: body, line: index + 1 };
    if (instructions.length >= MAX_INSTRUCTIONS || open.text.length > MAX_BYTES) {
      throw instructions.length >= MAX_INSTRUCTIONS
        ? lineError(
            file,
            open.line,
            `there are more than ${MAX_INSTRUCTIONS} instructions`,
            'Join some of them.',
          )
        : tooLong(open.line, file);
    }
    if (body !== line) continue;
    const script = hereScript(open.text, lines, index + 1);
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
  if (Buffer.byteLength(text) > MAX_BYTES) throw tooLong(line, file);
  const { word, keyword, flags, rest } = partsOf(text);
  if (!KEYWORDS.has(keyword)) {
    throw lineError(
      file,
      line,
      `there is no instruction ${quoted(word)}`,
      'Mend that line; a line that goes on in the next one ends with a backslash.',
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

function tooLong(line: number, file: string): UserError {
  return lineError(
    file,
    line,
    `this instruction is longer than ${MAX_BYTES} bytes`,
    'Put it in a file, and COPY that.',
  );
}

/** Blanks are those of Go (U+0085 is none in JavaScript): nothing may be a flag to buildah that was none here. */
const BLANK = /[\s\x85]/;
const BLANKS = /[\s\x85]*/y;
const WORD = /[^\s\x85]*/y;

/** Keyword, flags and the rest of an instruction, without blanks at its ends; each character is looked at once. */
function partsOf(text: string): { word: string; keyword: string; flags: string[]; rest: string } {
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const [found = ''] = pattern.exec(text) ?? [];
    at += found.length;
    return found;
  };
  take(BLANKS);
  const word = take(WORD);
  const keyword = word.toUpperCase();
  take(BLANKS);
  const flags: string[] = [];
  // `--` alone is no flag.
  while (FLAGGED.has(keyword) && text.startsWith('--', at) && !BLANK.test(text[at + 2] ?? ' ')) {
    flags.push(take(WORD));
    take(BLANKS);
  }
  let end = text.length;
  while (end > at && BLANK.test(text[end - 1] ?? '')) end -= 1;
  return { word, keyword, flags, rest: text.slice(at, end) };
}

/** A word that begins a here-document. */
const HERE = /^\d*<<(-?)(["']?)([A-Za-z_][\w.-]*)\2$/g;

/**
 * The command of a RUN with here-documents, in one line, as buildah wants it: the shell puts it together again, and runs it. The
 * documents begin at line `start` of `all`; `lines`: how many belong to them. Undefined: there are none; `open`: one does not end.
 */
function hereScript(
  text: string,
  all: readonly string[],
  start: number,
): { beginning: string; command: string; shown: string; lines: number } | 'open' | undefined {
  if (!text.includes('<<')) return undefined;
  const { keyword, flags, rest: command } = partsOf(text);
  const documents = command.split(/\s+/).flatMap((word) => [...word.matchAll(HERE)]);
  if (keyword !== 'RUN' || documents.length === 0) return undefined;
  let at = start;
  let first: string | undefined;
  for (const [, indented, , end] of documents) {
    const body: string[] = [];
    const untab = (line: string) => (indented ? line.replace(/^\t+/, '') : line);
    for (; at < all.length && untab(all[at] ?? '') !== end; at += 1) body.push(`${untab(all[at] ?? '')}\n`);
    if (at >= all.length) return 'open';
    first ??= body.join('');
    at += 1;
  }
  const body = first ?? '';
  const alone = documents[0]?.[0] === command;
  const script = alone ? body : `${command}\n${all.slice(start, at).join('\n')}\n`;
  return {
    beginning: [keyword, ...flags, ''].join(' '),
    command: alone && body.startsWith('#!') ? runAsFile(body) : `eval "$(${printed(script)})"`,
    shown: command,
    lines: at - start,
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

/** Short, and without what a terminal would act on: JSON leaves U+0080 to U+009F as they are. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text).replace(/\p{Cc}/gu, '?');
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
