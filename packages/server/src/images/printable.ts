/** Characters of others' text in a message: enough for what went wrong, and for the end of a path. */
const MOST = 160;

/** Text of an image, a registry or a program for a message: one line, short, nothing that a terminal obeys. */
export function printable(text: string): string {
  const line = text.trim().replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return line.length <= MOST ? line : `${line.slice(0, MOST / 2)}…${line.slice(-MOST / 2)}`;
}
