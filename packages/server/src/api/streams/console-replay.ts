import { open } from 'node:fs/promises';
import type { ConsolePort } from '../../nodes/index.ts';
import { hasErrno } from '../../platform/index.ts';

/** Bytes that a new viewer gets of what was printed before: ten times what a boot prints. */
const REPLAY = 256 * 1024;
/** Bytes by which what was shown is found again in the log. */
const MARK = 512;
/** What firmware says first when a machine is switched on; with a BIOS, iPXE comes second. */
const GREETINGS = ['SeaBIOS (version', 'U-Boot 20', 'iPXE initialising devices'];

/** The last that a console printed. */
export class Replay {
  readonly #pieces: Buffer[] = [];
  #size = 0;

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
    for (let [first] = this.#pieces; first && this.#size - first.length >= REPLAY; [first] = this.#pieces) {
      this.#pieces.shift();
      this.#size -= first.length;
    }
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#size = 0;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces).subarray(-REPLAY);
  }

  /** Adds what the log has behind the bytes that came last; answers it. */
  async catchUp({ log, older }: ConsolePort): Promise<Buffer> {
    const end = await readTail(log, REPLAY);
    const before = end.length < REPLAY ? await readTail(older, REPLAY - end.length) : Buffer.alloc(0);
    const fresh = unseen(Buffer.concat([before, end]), this.bytes);
    if (fresh.length > 0) this.add(fresh);
    return fresh;
  }
}

/** From where the machine was switched on last, if that is among these bytes; else all. */
export function lastBoot(bytes: Buffer): Buffer {
  const starts = GREETINGS.map((greeting) => bytes.lastIndexOf(greeting));
  return bytes.subarray(starts.find((start) => start >= 0) ?? 0);
}

/** What of the log's end comes after the bytes that were printed last. */
function unseen(end: Buffer, recent: Buffer): Buffer {
  const mark = recent.subarray(-MARK);
  const at = mark.length === 0 ? -1 : end.lastIndexOf(mark);
  return at === -1 ? end : end.subarray(at + mark.length);
}

/** The last bytes of a file; none when there is no file. */
async function readTail(path: string, size: number): Promise<Buffer> {
  try {
    await using file = await open(path);
    const { size: length } = await file.stat();
    const start = Math.max(0, length - size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length - start), 0, null, start);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}
