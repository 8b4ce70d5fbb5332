/**
 * Tells where NFS and MOUNT listen, as rpcbind would (RFC 1833): NFSv3 clients ask before they mount. The ports are fixed, so
 * there is nothing to remember, and what ganesha registers is taken for granted. A program of our own, since rpcbind has one
 * socket and one folder per machine, which platforms would share.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createLog, defaultLimits, Gate, isHangUp, type Limits, UdpPort } from '../../platform/index.ts';

const log = createLog('network');

export const NFS_PORT = 2049;
export const MOUNT_PORT = 20_048;

export const PORTMAP_PORT = 111;
const PORTMAP = 100_000;
const PORTS = new Map([
  [PORTMAP, PORTMAP_PORT],
  [100_003, NFS_PORT],
  [100_005, MOUNT_PORT],
]);
/** Longest question that is read, in bytes. */
const MAX_CALL = 4096;
/** Milliseconds in which nothing is asked, or no answer is taken. */
const IDLE = 30_000;
const LAST_FRAGMENT = 0x8000_0000;

/** RFC 5531: what kind of message, and how a call was accepted. */
const CALL = 0;
const RPC_VERSION = 2;
const ACCEPT = { success: 0, progUnavailable: 1, progMismatch: 2, procUnavailable: 3 };

export interface Portmapper {
  close(): Promise<void>;
}

/** Listens on every address of the namespace that we are in. Throws when somebody else does. Keeps no process alive. */
export async function openPortmapper(
  server: string,
  limits: Limits['machines'] = defaultLimits().machines,
): Promise<Portmapper> {
  const udp = await UdpPort.open({
    name: 'portmapper',
    log,
    port: PORTMAP_PORT,
    // Ganesha registers by IPv6 where there is such a thing.
    family: existsSync('/proc/sys/net/ipv6') ? 'udp6' : 'udp4',
    receive: (message, from) => {
      const answer = answerCall(message, server);
      if (answer) udp.send(answer, from);
    },
  });
  const tcp = createServer((socket) => {
    talk(socket, server).catch((error) => gate.fail(socket, error));
  });
  const gate = new Gate(tcp, { limits, log, name: 'portmapper' });
  const listening = once(tcp, 'listening');
  tcp.listen(PORTMAP_PORT);
  try {
    await listening;
  } catch (error) {
    await udp.close();
    throw error;
  }
  udp.unref();
  tcp.unref();
  return {
    async close() {
      tcp.close();
      await udp.close();
    },
  };
}

/** Serves one connection. Resolves when the client has left or must go. */
async function talk(socket: Socket, server: string): Promise<void> {
  socket.unref();
  socket.setTimeout(IDLE, () => socket.destroy());
  try {
    await pipeline(socket, (calls) => answers(calls, server), socket);
  } catch (error) {
    if (!isHangUp(error)) throw error;
  }
}

/** Over TCP, messages have their length in front (RFC 5531, 11). Ends at one that is too long. */
async function* answers(calls: AsyncIterable<Buffer>, server: string): AsyncGenerator<Buffer, void> {
  let pending = Buffer.alloc(0);
  for await (const bytes of calls) {
    pending = Buffer.concat([pending, bytes]);
    while (pending.length >= 4) {
      const length = pending.readUInt32BE(0) % LAST_FRAGMENT;
      if (length > MAX_CALL) return;
      if (pending.length < 4 + length) break;
      const answer = answerCall(pending.subarray(4, 4 + length), server);
      pending = pending.subarray(4 + length);
      if (answer) yield Buffer.concat([words(LAST_FRAGMENT + answer.length), answer]);
    }
  }
}

/** The answer to one call; undefined for what is none. */
export function answerCall(message: Buffer, server: string): Buffer | undefined {
  try {
    const reader = new Reader(message);
    const id = reader.word();
    if (reader.word() !== CALL || reader.word() !== RPC_VERSION) return undefined;
    const [program, version, procedure] = [reader.word(), reader.word(), reader.word()];
    reader.skipAuthentication();
    reader.skipAuthentication();
    const accept = (how: number, result: Buffer) => Buffer.concat([words(id, 1, 0, 0, 0, how), result]);
    if (program !== PORTMAP) return accept(ACCEPT.progUnavailable, Buffer.alloc(0));
    if (version < 2 || version > 4) return accept(ACCEPT.progMismatch, words(2, 4));
    const procedureOf = version < 4 && procedure === 9 ? undefined : PROCEDURES.get(procedure);
    const result = procedureOf?.(version, reader, server);
    return result ? accept(ACCEPT.success, result) : accept(ACCEPT.procUnavailable, Buffer.alloc(0));
  } catch (error) {
    if (error instanceof RangeError) return undefined; // it ends too early
    throw error;
  }
}

type Procedure = (version: number, reader: Reader, server: string) => Buffer;

/** Of versions 2 (portmapper) and 3, 4 (rpcbind), by number. Tests go through it, too. */
export const PROCEDURES: ReadonlyMap<number, Procedure> = new Map<number, Procedure>([
  [0, () => Buffer.alloc(0)],
  // SET and UNSET.
  [1, () => words(1)],
  [2, () => words(1)],
  // GETPORT, GETADDR; GETVERSADDR, of version 4 only.
  [3, address],
  [9, address],
  // DUMP: a list of none.
  [4, () => words(0)],
]);

function address(version: number, reader: Reader, server: string): Buffer {
  const port = PORTS.get(reader.word()) ?? 0;
  if (version === 2) return words(port);
  return text(port === 0 ? '' : `${server}.${port >> 8}.${port & 255}`);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Throws RangeError at the end. */
  word(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  skipAuthentication(): void {
    this.word();
    const length = this.word();
    this.#at += Math.ceil(length / 4) * 4;
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

function text(value: string): Buffer {
  const padded = Buffer.alloc(Math.ceil(value.length / 4) * 4);
  padded.write(value, 'latin1');
  return Buffer.concat([words(value.length), padded]);
}
