/**
 * Folder `terminal/`: what a user sees and types. Nothing that comes from elsewhere steers his terminal.
 *
 * This file: what commands print, data on standard output, remarks on standard error.
 */
import { type Paint, painter, wantsColours } from './style.ts';
import { terminalText, visibleJson } from './visible.ts';

export function paintOutput(): Paint {
  return painter(wantsColours(process.stdout));
}

export function paintRemarks(): Paint {
  return painter(wantsColours(process.stderr));
}

export function print(text: string): void {
  process.stdout.write(terminalText(text.endsWith('\n') ? text : `${text}\n`));
}

/** Data for another program, byte for byte: not to be used where standard output is a terminal. */
export function printRaw(text: string): void {
  process.stdout.write(text);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(terminalText(lines.map((line) => `${line}\n`).join('')));
}

export function printJson(value: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, null, 2))}\n`);
}

/** A remark beside the data: it must not end up in a pipe. */
export function remark(text: string): void {
  process.stderr.write(terminalText(`${text}\n`));
}
