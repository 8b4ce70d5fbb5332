import { writeSync } from 'node:fs';

/** The server's journal: one line per event on standard error, `TIME LEVEL AREA MESSAGE key=value…`. Never secrets. */
export type Fields = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/** Characters of a value, before they are escaped; of a longer one, the beginning and the length are told. */
const MAX_VALUE = 8 * 1024;
/** Characters of a line: several values, each within its bound. */
const MAX_LINE = 32 * 1024;

/** `write` takes a whole line; it throws where that cannot be written. */
export function createLog(area: string, write: (line: string) => void = toStandardError): Log {
  // A full disk or a closed pipe must not end the server: what was lost is told by the next line that gets through.
  let lost = 0;
  const writeOrCount = (line: string) => {
    try {
      if (lost > 0) {
        write(formatLine('warn', area, 'lines could not be written', { lines: lost }));
        lost = 0;
      }
      write(line);
    } catch {
      lost += 1;
    }
  };
  const at =
    (level: string) =>
    (message: string, fields: Fields = {}) =>
      writeOrCount(formatLine(level, area, message, fields));
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** One line, whatever is in the values: nothing in it steers a terminal, ends the line or turns the direction of writing. */
export function formatLine(level: string, area: string, message: string, fields: Fields): string {
  return `${eventText(`${new Date().toISOString()} ${level} ${area} ${message}`, fields)}\n`;
}

/** What happened, without when and where: as safe. */
export function eventText(message: string, fields: Fields = {}): string {
  const tail = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? quoted(value) : value}`)
    .join('');
  const line = escapeControls(message + tail);
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line;
}

function quoted(value: string): string {
  if (value.length <= MAX_VALUE) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, MAX_VALUE))}…(${value.length} characters)`;
}

/**
 * What JSON leaves as it is: the second set of control characters (ECMA-48), separators of lines and paragraphs, and what turns the
 * direction of writing (Unicode TR 9).
 */
function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

const STANDARD_ERROR = 2;
/** Times that a full pipe is tried again; a file takes a line at once, or not at all. */
const TRIES = 5;

/** Directly, since the stream of Node throws out of nowhere when it cannot be written. */
function toStandardError(line: string): void {
  const bytes = Buffer.from(line);
  let written = 0;
  for (let tries = 0; written < bytes.length; ) {
    try {
      written += writeSync(STANDARD_ERROR, bytes, written);
    } catch (error) {
      tries += 1;
      if (tries >= TRIES || !(error instanceof Error && 'code' in error && error.code === 'EAGAIN'))
        throw error;
    }
  }
}
