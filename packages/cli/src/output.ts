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

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A remark beside the data: it must not end up in a pipe. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}
