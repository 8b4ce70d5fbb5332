/** What buildah and runc say of a build that fails, in users' words: without their Go, and without the server's paths. */
import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Characters of what a build said last, for finding out why it failed. */
const MAX_TAIL = 16_384;

/** How their own last lines begin. */
const FINAL =
  /^(?:Error: |error running container: |container exited on |: exit status |time="[^"]*" level=error msg="runc )/;
/** Where a line of theirs begins, even behind a line that a command did not end. Each is written at once. */
const THEIRS = /(?=error running container: |Error: building at STEP ")/;
/** As long as that may become such a line, it is held back. */
const BEGINNINGS = [
  'Error: ',
  'error running container: ',
  'container exited on ',
  ': exit status ',
  'time="',
];

/** Passes on what is printed, except the lines with which buildah ends: these are told in other words. */
export class ComplaintFilter extends Transform {
  readonly #decoder = new StringDecoder('utf8');
  #tail = '';
  /** Whole lines that may be its last ones, and the beginning of a line that may become one. */
  #held = '';
  #line = '';
  /** The line that comes now has been passed on in part. */
  #inside = false;
  /** What was passed on last did not end its line. */
  #unended = false;

  /** The end of all that was said. */
  get tail(): string {
    return this.#tail;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take(this.#decoder.write(chunk));
    done();
  }

  override _flush(done: () => void): void {
    this.#take(this.#decoder.end());
    const held = this.#held + this.#line;
    if (!/^Error: /m.test(held)) this.push(held);
    else if (this.#unended) this.push('\n');
    done();
  }

  #take(text: string): void {
    this.#tail = (this.#tail + text).slice(-MAX_TAIL);
    let out = '';
    for (const piece of text.split(THEIRS)) {
      if (piece.search(THEIRS) === 0) out += this.#endLine();
      out += this.#pass(piece);
    }
    if (out === '') return;
    this.push(out);
    this.#unended = !out.endsWith('\n');
  }

  /** Answers the beginning of a line that a command did not end: what comes next is another line. */
  #endLine(): string {
    const begun = this.#line;
    this.#line = '';
    this.#inside = false;
    return begun === '' ? '' : this.#release() + begun;
  }

  /** Answers what is to be passed on of this. */
  #pass(text: string): string {
    const parts = text.split('\n');
    const last = parts.pop() ?? '';
    let out = '';
    for (const part of parts) {
      out += this.#whole(this.#line + part);
      this.#line = '';
    }
    this.#line += last;
    if (this.#line !== '' && (this.#inside || !mayBeFinal(this.#line))) {
      out += this.#release() + this.#line;
      this.#line = '';
      this.#inside = true;
    }
    return out;
  }

  /** Answers what is to be passed on, now that a line is whole. */
  #whole(line: string): string {
    const inside = this.#inside;
    this.#inside = false;
    if (inside || !FINAL.test(line)) return `${this.#release()}${line}\n`;
    this.#held += `${line}\n`;
    return this.#held.length > MAX_TAIL ? this.#release() : '';
  }

  #release(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }
}

function mayBeFinal(line: string): boolean {
  if (line.length > MAX_TAIL) return false;
  return (
    FINAL.test(line) ||
    BEGINNINGS.some((beginning) => beginning.startsWith(line) || line.startsWith(beginning))
  );
}

type Explanation = [pattern: RegExp, explain: (found: RegExpExecArray) => string];

const shown = (text = '') => JSON.stringify(cleaned(text));

/** Of Go's messages, what is known to happen. */
const EXPLANATIONS: readonly Explanation[] = [
  [
    /copier: stat: \[?"\/?([^"]*)"\]?: no such file or directory$/,
    ([, path]) => `${shown(path)} is not there`,
  ],
  [
    / Get "([^"]*)": .*?([^:]+)$/,
    ([, url, why]) => `${shown(url)} cannot be fetched: ${cleaned(why ?? '').trim()}`,
  ],
  [/invalid response status (\d+)/, ([, status]) => `the server answers with HTTP status ${status}`],
  [
    /unknown (user|group) error looking up (?:user|group) "([^"]*)"/,
    ([, what, name]) => `the image has no ${what} ${shown(name)}`,
  ],
  [/Error parsing chmod (\S+)/, ([, mode]) => `${shown(mode)} is no mode in octal digits`],
  [/mkdir ([^:"]*): not a directory$/, ([, path]) => `${shown(path)} would lie in what is no folder`],
  [
    /history lists \d+ non-empty layers, but we have \d+ layers/,
    () =>
      'the image that it starts from does not tell how its layers were made; walt image squash makes one that does',
  ],
  [/file name too long$/, () => 'a path is longer than the kernel allows'],
  [
    /(?:unexpected EOF|invalid (?:tar )?header|corrupt|checksum error)[^:]*$/,
    () => 'an archive is damaged, or ends in the middle',
  ],
];

/** Of what runc could not start. */
const NOT_STARTED: readonly Explanation[] = [
  [
    /exec: \\?"([^"\\]*)\\?": (?:stat [^:]*: no such file|executable file not found)/,
    ([, program]) => `the image has no program ${shown(program)}`,
  ],
  [/exec: \\?"([^"\\]*)\\?": permission denied/, ([, program]) => `${shown(program)} may not be run`],
  [
    /exec \\?"?([^"\\ :]*)\\?"?: exec format error/,
    ([, program]) => `${shown(program)} is no program for this CPU`,
  ],
];

/** Characters of a reason that is not known. */
const MAX_REASON = 200;

/** Why a step failed, as a sentence goes on. `tail` is the end of what was said. */
export function explainStep(tail: string): string {
  const text = tail.trimEnd();
  const final = text.slice(text.lastIndexOf('\n') + 1);
  const program = explain(NOT_STARTED, text.slice(text.lastIndexOf('error running container: ')));
  if (/error running container: /.test(text) && program !== undefined) return program;
  const signal = /^container exited on ([a-z ]{1,40})$/m.exec(text)?.[1];
  if (signal !== undefined) return `it was ended by the signal "${signal}"`;
  const status = /: (exit status \d+)$/.exec(final)?.[1];
  if (status !== undefined) return status;
  const known = explain(EXPLANATIONS, final);
  if (known !== undefined) return known;
  const said = /building at STEP ".*": (.*)$/.exec(final)?.[1] ?? final.replace(/^Error: /, '');
  return cleaned(said).slice(0, MAX_REASON) || 'it was killed';
}

function explain(explanations: readonly Explanation[], text: string): string | undefined {
  for (const [pattern, words] of explanations) {
    const found = pattern.exec(text);
    if (found) return words(found);
  }
  return undefined;
}

/** Without what a terminal would act on, folders of the server, and Go's values. */
function cleaned(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/\/mnt\/w\/context\/?/g, '')
    .replace(/\/mnt\/[swilr](?:\/[^\s:"']*)?/g, '…')
    .replace(/&?\{[^{}]*\}/g, '…');
}
