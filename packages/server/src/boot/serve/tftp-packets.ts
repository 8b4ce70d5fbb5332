/** What TFTP packets say: RFC 1350, 2347 (options), 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize). */
import { isUtf8 } from 'node:buffer';

/** RFC 1350 section 5 and RFC 2347. */
export const OPCODE = { read: 1, write: 2, data: 3, acknowledgement: 4, error: 5, optionAcknowledgement: 6 };
export const ERROR = { other: 0, notFound: 1, accessViolation: 2, illegalOperation: 4, unknownPort: 5 };

/** In bytes, where a client asks for nothing else (RFC 1350). */
export const DEFAULT_BLOCK = 512;
/** In bytes. RFC 2347: no request is longer. */
const MAX_REQUEST = 512;
const MAX_PATH = 255;
/** In bytes. RFC 2348: 65535, less the headers of IP, UDP and TFTP and what IP options may take. */
const MAX_BLOCK = 65_464;
/** In blocks, and in bytes: what a transfer may keep in memory. */
const MAX_WINDOW = 64;
const MAX_WINDOW_BYTES = 256 * 1024;
/** In seconds: a client that is gone holds its place for five of these. */
const MAX_TIMEOUT = 30;

export interface TftpRequest {
  path: string;
  /** As they were asked for, names in lower case. */
  options: ReadonlyMap<string, string>;
}

/** Undefined: no request, or a broken one. A packet: the error that answers it. */
export function parseRequest(packet: Buffer): TftpRequest | Buffer | undefined {
  if (packet.length < 4 || packet.length > MAX_REQUEST || packet.at(-1) !== 0) return undefined;
  const opcode = packet.readUInt16BE(0);
  const [path = '', mode, ...rest] = packet.toString('latin1', 2, packet.length - 1).split('\0');
  if (mode === undefined) return undefined;
  if (opcode === OPCODE.write) return errorPacket(ERROR.accessViolation, 'access violation');
  if (opcode !== OPCODE.read) return undefined;
  if (mode.toLowerCase() !== 'octet') return errorPacket(ERROR.illegalOperation, 'the mode must be octet');
  const bytes = Buffer.from(path, 'latin1');
  if (bytes.length > MAX_PATH) return errorPacket(ERROR.illegalOperation, 'the path is too long');
  if (!isUtf8(bytes)) return errorPacket(ERROR.illegalOperation, 'the path is no UTF-8');
  const options = new Map<string, string>();
  for (let at = 0; at + 1 < rest.length; at += 2) options.set(`${rest[at]}`.toLowerCase(), `${rest[at + 1]}`);
  return { path: bytes.toString(), options };
}

/** Granted options and their values. */
export type Options = ReadonlyMap<string, number>;

/** RFC 2347: what is not granted is left out. `size`: of the file, in bytes. */
export function grantOptions(asked: TftpRequest['options'], size: number): Options {
  const granted = new Map<string, number>();
  for (const [name, text] of asked) {
    const value = grantOption(name, text, size);
    if (value !== undefined) granted.set(name, value);
  }
  const window = granted.get('windowsize');
  if (window) {
    const most = Math.max(1, Math.floor(MAX_WINDOW_BYTES / (granted.get('blksize') ?? DEFAULT_BLOCK)));
    granted.set('windowsize', Math.min(window, most));
  }
  return granted;
}

function grantOption(name: string, text: string, size: number): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  switch (name) {
    case 'blksize': // in bytes
      return value >= 8 ? Math.min(value, MAX_BLOCK) : undefined;
    case 'timeout': // in seconds
      return value >= 1 && value <= MAX_TIMEOUT ? value : undefined;
    case 'tsize': // the client sends 0
      return value >= 0 ? size : undefined;
    case 'windowsize': // in blocks
      return value >= 1 && value <= 65_535 ? Math.min(value, MAX_WINDOW) : undefined;
    default:
      return undefined;
  }
}

/** DATA packets of `size` bytes; the last one is shorter, perhaps empty. Numbers wrap to 0. */
export async function* dataPackets(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Buffer, void> {
  const header = 4;
  const begin = (block: number) => Buffer.concat([words(OPCODE.data, block)], header + size);
  let block = 1;
  let packet = begin(block);
  let filled = header;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + packet.length - filled);
      packet.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < packet.length) break;
      yield packet;
      block = (block + 1) & 0xffff;
      packet = begin(block);
      filled = header;
    }
  }
  yield packet.subarray(0, filled);
}

export function optionPacket(options: Options): Buffer {
  const text = [...options].map(([name, value]) => `${name}\0${value}\0`).join('');
  return Buffer.concat([words(OPCODE.optionAcknowledgement), Buffer.from(text)]);
}

export function errorPacket(code: number, message: string): Buffer {
  return Buffer.concat([words(OPCODE.error, code), Buffer.from(`${message}\0`)]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}
