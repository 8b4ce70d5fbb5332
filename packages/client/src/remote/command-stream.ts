/** A connection to the server by a `walt dial-stdio` on its machine. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { hasCode } from '../errors.ts';
import type { WayFiles } from './files.ts';
import { DIAL, DIAL_MARK, noSsh, sshArguments, sshFailure } from './ssh.ts';
import type { SshPlace } from './url.ts';

/** Bytes that a shell there may print before walt speaks, and of what is kept of complaints. */
const MAX_NOISE = 64 * 1024;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Resolves when that one has reached the server. Throws AbortError. */
export async function dialByCommand(place: SshPlace, files: WayFiles, quiet: boolean): Promise<Duplex> {
  const child = spawn('ssh', sshArguments(place, files, DIAL, quiet), { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr = (stderr + piece).slice(-MAX_NOISE);
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).on('error', reject);
  });
  // Asked for only where it does not speak.
  ended.catch(() => {});
  try {
    await spoken(child.stdout);
    return new CommandStream(child);
  } catch {
    child.kill();
    const status = await ended.catch((error: unknown) => {
      throw hasCode(error, 'ENOENT') ? noSsh() : error;
    });
    throw sshFailure(place, status ?? 255, stderr);
  }
}

/** Leaves the stream at the first byte behind the mark. */
function spoken(output: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const done = () => output.off('data', look).off('close', fail).off('error', fail);
    const fail = () => {
      done();
      reject(new Error('it ended'));
    };
    const look = (piece: Buffer) => {
      seen = Buffer.concat([seen, piece]);
      const at = seen.indexOf(DIAL_MARK);
      if (at === -1 && seen.length < MAX_NOISE) return;
      if (at === -1) return fail();
      done();
      output.pause();
      const rest = seen.subarray(at + DIAL_MARK.length);
      if (rest.length > 0) output.unshift(rest);
      resolve();
    };
    // One of a program that could not be started has no end, but is closed.
    output.on('data', look).once('close', fail).once('error', fail);
  });
}

/** The two pipes of a process as one connection, with what Node.js's HTTP asks of a socket. */
class CommandStream extends Duplex {
  readonly #child: Child;

  constructor(child: Child) {
    super({ allowHalfOpen: false });
    this.#child = child;
    child.stdout.on('data', (piece: Buffer) => {
      if (!this.push(piece)) child.stdout.pause();
    });
    child.stdout.once('end', () => this.push(null));
    child.stdout.once('error', (error) => this.destroy(error));
    child.once('error', (error) => this.destroy(error));
    child.stdin.once('error', (error) => this.destroy(error));
    child.stdout.pause();
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(piece: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(piece, done);
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#child.kill();
    done(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  /** An idle one keeps no program alive, as a socket. */
  unref(): this {
    this.#each('unref');
    return this;
  }

  ref(): this {
    this.#each('ref');
    return this;
  }

  #each(what: 'ref' | 'unref'): void {
    this.#child[what]();
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      (pipe as unknown as { ref(): void; unref(): void })[what]();
    }
  }
}
