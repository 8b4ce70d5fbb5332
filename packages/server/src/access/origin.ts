/**
 * From where somebody calls, by what the kernel knows alone: which process has connected to the server's socket, and whether it, or the
 * process that it descends from, is an SSH session, and of which address. What a program says about itself plays no part. Whoever leaves
 * his session (setsid, nohup) is one of this machine; nobody can be of an address that he has not.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import { type Log, rarely } from '../platform/index.ts';

/** Its program has ended, or nothing is known of it. */
export const UNKNOWN = 'unknown';
/** A program of this machine, of nobody's SSH session. */
export const LOCAL = 'local';

/** Of socket(7). */
const [SOL_SOCKET, SO_PEERCRED] = [1, 17];

/** A process has fewer ancestors than that. */
const MAX_ANCESTORS = 256;
/** Programs that root runs for each session: OpenSSH up to 9.7, from 9.8 on, and dropbear. */
const SSH_PROGRAMS = new Set(['sshd', 'sshd-session', 'dropbear']);

/** Answers from where connections to a Unix socket come. */
export class Origins {
  #libc: ReturnType<typeof cLibrary> | undefined;
  readonly #known = new WeakMap<Socket, Promise<string>>();
  readonly #failed: Log['warn'];

  constructor(log: Log) {
    this.#failed = rarely(log.warn);
  }

  /**
   * `local`, `unknown`, or the address of an SSH session; with `as user id N` behind it if the process is not of that user. Resolves while
   * the connection is open.
   */
  of(socket: Socket, uid: number): Promise<string> {
    const known = this.#known.get(socket);
    if (known) return known;
    const origin = this.#ask(socket, uid).catch((error: unknown) => {
      this.#failed('cannot tell from where somebody calls', { reason: String(error) });
      return UNKNOWN;
    });
    this.#known.set(socket, origin);
    return origin;
  }

  async #ask(socket: Socket, uid: number): Promise<string> {
    const { pid = 0, uid: peer = -1 } = this.#peerOf(socket) ?? {};
    // 0: of another namespace of processes.
    if (!(pid > 0)) return UNKNOWN;
    const origin = await originOf(pid);
    return peer === uid || peer === 0 ? origin : `${origin} as user id ${peer}`;
  }

  /** Who connected, as it was then (struct ucred, unix(7)); undefined when the connection is closed. */
  #peerOf(socket: Socket): { pid: number; uid: number } | undefined {
    const descriptor = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
    const [ucred, size] = [new Int32Array(3), Uint32Array.of(12)];
    this.#libc ??= cLibrary();
    const failed = this.#libc.getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, ucred, size) !== 0;
    const [pid = 0, uid = 0] = ucred;
    return failed ? undefined : { pid, uid: uid >>> 0 };
  }
}

/** The C library, since Node.js does not tell who has connected. Loaded when somebody asks: it warns that it may change. */
function cLibrary() {
  const { dlopen } = process.getBuiltinModule('node:ffi');
  return dlopen(null, {
    getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  }).functions;
}

/** Of a process. */
async function originOf(pid: number): Promise<string> {
  let next = pid;
  for (let count = 0; count < MAX_ANCESTORS; count += 1) {
    const parent = await parentOf(next);
    // It has just ended: nobody knows whose child it was.
    if (parent === undefined) return UNKNOWN;
    const address = await sessionAddress(next);
    if (address !== undefined) return address;
    if (parent <= 1) return LOCAL;
    next = parent;
  }
  return UNKNOWN;
}

async function parentOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in brackets may hold blanks and brackets (proc_pid_stat(5)).
  const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Of whose SSH session a process of root is; undefined: of none. A user who runs such a program himself is not believed. */
async function sessionAddress(pid: number): Promise<string | undefined> {
  const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
  if (!SSH_PROGRAMS.has(basename(program.replace(/ \(deleted\)$/, '')))) return undefined;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  if (!/^Uid:\t0\t0\t/m.test(status)) return undefined;
  const open = await socketsOf(pid);
  for (const table of ['tcp', 'tcp6']) {
    const rows = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    const address = remoteAddress(rows, open);
    if (address !== undefined) return address;
  }
  return undefined;
}

async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** Pure. The other end of the first connection of /proc/net/tcp or tcp6 (proc_net(5)) that is one of these sockets. */
export function remoteAddress(table: string, inodes: ReadonlySet<string>): string | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [, , remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
    // 01: established.
    if (state === '01' && inodes.has(inode)) return addressOf(remote.split(':')[0] ?? '');
  }
  return undefined;
}

/** Words of 32 bits in the order of this machine's bytes, of which all that WalT runs on have the last one first. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  const v4 = bytes.length === 4 ? bytes : isMapped(bytes) ? bytes.slice(12) : undefined;
  if (v4) return v4.join('.');
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? [];
  // In its usual form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function isMapped(bytes: readonly number[]): boolean {
  return Buffer.from(bytes.slice(0, 12)).equals(Buffer.from('00000000000000000000ffff', 'hex'));
}
