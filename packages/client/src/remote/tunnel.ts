/**
 * The open way to a server elsewhere: an ssh that stays as master, and a socket of this machine that leads through it to the
 * server's. Where sshd forwards no sockets, a process of its own for each connection (decision 0104).
 */
import { spawn } from 'node:child_process';
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Proven, readToken } from '../credentials.ts';
import { hasCode } from '../errors.ts';
import { dialByCommand } from './command-stream.ts';
import { type WayFiles, wayFiles } from './files.ts';
import { whileLocked } from './lock.ts';
import {
  canForwardTo,
  masterArguments,
  noSsh,
  parseSignIn,
  SIGN_IN,
  type SignedIn,
  sshArguments,
  sshFailure,
} from './ssh.ts';
import type { SshPlace } from './url.ts';

/** Bytes of what ssh and what it runs may print. */
const MAX_OUTPUT = 256 * 1024;
/** Milliseconds for which it is believed that sshd forwards nothing. */
const UNFORWARDED_LIFE = 3_600_000;
/** Milliseconds for an answer through a socket that was just made. */
const ANSWER_LIMIT = 10_000;

interface TunnelOptions {
  /** Keeps the token. */
  folder: string;
  /** Nothing is asked. */
  quiet: boolean;
}

export class Tunnel {
  readonly #place: SshPlace;
  readonly #files: WayFiles;
  readonly #options: TunnelOptions;

  constructor(place: SshPlace, options: TunnelOptions) {
    this.#place = place;
    this.#files = wayFiles(place.url);
    this.#options = options;
  }

  /** A connection to the server. Opens the way where it is not open. */
  async dial(): Promise<Duplex> {
    const open = await this.#dialOpen();
    if (open) return open;
    await this.#locked(async () => {
      // Who had the lock may have opened it.
      const opened = await this.#dialOpen();
      opened?.destroy();
      if (!opened) await this.#open();
    });
    return (await this.#dialOpen()) ?? (await dialByCommand(this.#place, this.#files, this.#options.quiet));
  }

  /** A new token, which is not `refused`. */
  async signIn(refused: string | undefined): Promise<Proven> {
    return await this.#locked(async () => {
      const kept = readToken(this.#options.folder);
      if (kept && kept.token !== refused) return kept;
      return await this.#open();
    });
  }

  /** Undefined where the way is not open. */
  async #dialOpen(): Promise<Duplex | undefined> {
    if (this.#forwardsNothing()) return await dialByCommand(this.#place, this.#files, this.#options.quiet);
    return await connected(this.#files.socket);
  }

  #forwardsNothing(): boolean {
    const mark = statSync(this.#files.unforwarded, { throwIfNoEntry: false });
    return mark !== undefined && Math.abs(Date.now() - mark.mtimeMs) < UNFORWARDED_LIFE;
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    return await whileLocked(this.#files.lock, work);
  }

  /** Logs in, where nobody is, and signs in there; and has the server's socket forwarded. */
  async #open(): Promise<SignedIn> {
    const args = sshArguments(this.#place, this.#files, SIGN_IN, this.#options.quiet);
    const { status, stdout, stderr } = await runSsh(args);
    const told = status === 0 ? parseSignIn(stdout) : undefined;
    if (!told) throw sshFailure(this.#place, status, stderr);
    const forwarded = (await connected(this.#files.socket)) ?? undefined;
    forwarded?.destroy();
    if (!forwarded && !this.#forwardsNothing()) await this.#forward(told.socket);
    return told;
  }

  /** The socket appears when it is known to lead to the server. */
  async #forward(to: string): Promise<void> {
    const { fresh, socket, unforwarded } = this.#files;
    rmSync(fresh, { force: true });
    if (canForwardTo(to)) {
      const { status } = await runSsh(masterArguments(this.#place, this.#files, 'forward', to));
      if (status === 0 && (await answers(fresh))) {
        rmSync(unforwarded, { force: true });
        return renameSync(fresh, socket);
      }
      await runSsh(masterArguments(this.#place, this.#files, 'cancel', to));
      rmSync(fresh, { force: true });
    }
    rmSync(socket, { force: true });
    writeFileSync(unforwarded, '', { mode: 0o600 });
  }
}

/** Ends a way that is open, and forgets what was learnt of it. */
export async function closeWay(place: SshPlace): Promise<void> {
  const files = wayFiles(place.url);
  if (existsSync(files.control)) await runSsh(masterArguments(place, files, 'exit'));
  for (const file of [files.socket, files.fresh, files.unforwarded]) rmSync(file, { force: true });
}

/** Undefined where nobody listens. */
function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const fail = (error: Error) => {
      const gone = ['ENOENT', 'ECONNREFUSED'].some((code) => hasCode(error, code));
      if (gone) resolve(undefined);
      else reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Whether a server answers there, whatever: sshd lets everybody connect, and ends what it may not forward. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: path, path: '/', timeout: ANSWER_LIMIT }, (response) => {
      resolve(true);
      response.destroy();
    });
    asked.once('error', () => resolve(false));
    asked.once('timeout', () => asked.destroy());
    asked.end();
  });
}

interface Ended {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs ssh to its end. What it asks, it asks on the terminal. */
function runSsh(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (piece: string) => {
        text[name] += piece.slice(0, MAX_OUTPUT - text[name].length);
      });
    }
    child.once('error', (error) => reject(hasCode(error, 'ENOENT') ? noSsh() : error));
    child.once('close', (status) => resolve({ status: status ?? 255, ...text }));
  });
}
