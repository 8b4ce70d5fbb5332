/** A node's serial console by its controller: Serial over LAN (IPMI 2.0, chapter 15), as ipmitool's `sol activate` gives it. */
import { Duplex } from 'node:stream';
import { type StreamedProgram, streamProgram } from '../../platform/index.ts';

/** What ipmitool says once the session is there. */
const OPERATIONAL = '[SOL Session operational';
/** Milliseconds until it is, and for ipmitool to tell the controller that it is over. */
const OPEN_LIMIT = 30_000;
const CLOSE_LIMIT = 10_000;
/** Bytes that ipmitool may say before that. */
const MAX_PREFACE = 65_536;

/**
 * Raw bytes both ways. Its end, by whichever side, ends the session in the controller too: `close` comes after that. Throws what
 * `refused` makes of ipmitool's words.
 */
export async function openSerialOverLan(
  argv: readonly string[],
  refused: (complaint: string) => Error,
): Promise<Duplex> {
  // Its words would wait in its memory for the first byte of a console that may be silent for hours.
  const program = streamProgram(['stdbuf', '-oL', ...argv], { stdin: 'pipe', accept: 'any' });
  const timer = setTimeout(() => program.kill(), OPEN_LIMIT);
  try {
    const early = await preface(program);
    if (early === undefined) throw refused(program.complaint());
    return new SerialOverLan(program, early);
  } finally {
    clearTimeout(timer);
  }
}

/** What the console printed together with ipmitool's own words; undefined when there is no session. */
async function preface({ stdout }: StreamedProgram): Promise<Buffer | undefined> {
  let said = Buffer.alloc(0);
  try {
    // Not destroyed at the end: the console goes on.
    for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
      said = Buffer.concat([said, chunk]);
      const start = said.indexOf(OPERATIONAL);
      const end = start < 0 ? -1 : said.indexOf('\n', start);
      if (end >= 0) return said.subarray(end + 1);
      if (said.length > MAX_PREFACE) stdout.destroy();
    }
  } catch {
    // It has failed: its complaint tells why.
  }
  return undefined;
}

class SerialOverLan extends Duplex {
  readonly #program: StreamedProgram;
  readonly #escape = escaper();

  constructor(program: StreamedProgram, early: Buffer) {
    super({ allowHalfOpen: false });
    this.#program = program;
    if (early.length > 0) this.push(early);
    program.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) program.stdout.pause();
    });
    program.stdout.pause();
    program.stdout.once('end', () => this.push(null));
    program.ended.catch(() => this.destroy());
  }

  override _read(): void {
    this.#program.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // One that fails ends the session, which `ended` tells.
    this.#program.stdin.write(this.#escape(chunk), () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { stdin, stdout, ended, kill } = this.#program;
    // At the end of its input, it frees the console: killed, it would leave it taken for a minute.
    stdin.end();
    stdout.removeAllListeners('data').resume();
    const timer = setTimeout(kill, CLOSE_LIMIT);
    const over = () => {
      clearTimeout(timer);
      done(error);
    };
    ended.then(over, over);
  }
}

const TILDE = 0x7e;
const LINE_ENDS: readonly (number | undefined)[] = [0x0a, 0x0d];

/** ipmitool takes a tilde at the begin of a line for itself, and one that follows it for a tilde. It cannot be told not to. */
export function escaper(): (bytes: Uint8Array) => Buffer {
  let atBegin = true;
  return (bytes) => {
    const out: number[] = [];
    for (const byte of bytes) {
      if (atBegin && byte === TILDE) out.push(TILDE);
      out.push(byte);
      atBegin = LINE_ENDS.includes(byte);
    }
    return Buffer.from(out);
  };
}
