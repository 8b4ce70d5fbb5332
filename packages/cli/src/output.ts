/** What commands print: data on standard output, remarks on standard error. */
import { type Paint, painter, wantsColours } from './style.ts';

export function paintOutput(): Paint {
  return painter(wantsColours(process.stdout));
}

export function paintRemarks(): Paint {
  return painter(wantsColours(process.stderr));
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** JSON leaves DEL and the second set of control characters (ECMA-48) as they are, which would steer a terminal. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
  process.stdout.write(`${text}\n`);
}

/** A remark beside the data: it must not end up in a pipe. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}
