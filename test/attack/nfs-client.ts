/** As much of ONC RPC (RFC 5531), NFSv3 (RFC 1813) and NFSv4 (RFC 7530) as it takes to show handles to a server, as root. */
import { connect, type Socket } from 'node:net';
import { Reader, Writer } from './xdr.ts';

/** What a server showed of a handle. */
export interface Found {
  version: 3 | 4;
  type: 'file' | 'folder' | 'other';
  inode: string;
  size: number;
  /** Names in a folder, or the first bytes of a file. */
  content: string;
}

const NFS = 100003;
const FILE = 1;
const FOLDER = 2;
const OK = 0;
/** Bytes that are read of a file, and of a folder. */
const LOOK = 4096;
const OP = { getattr: 9, getfh: 10, lookup: 15, putfh: 22, putrootfh: 24, read: 25, readdir: 26, write: 38 };
/** Attributes type, size and fileid (RFC 7530, 5.6). */
const ATTRIBUTES = (1 << 1) | (1 << 4) | (1 << 20);
/** That of nobody who opened the file. */
const ANONYMOUS = Buffer.alloc(16);

export class NfsClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(reply: Reader): void; reject(error: Error): void }>();
  #received: Buffer = Buffer.alloc(0);
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#take(data));
    const fail = (error?: Error) => {
      for (const { reject } of this.#waiting.values()) reject(error ?? new Error('the server hung up'));
      this.#waiting.clear();
    };
    socket.on('error', fail);
    socket.on('close', () => fail());
  }

  static async connect(server: string): Promise<NfsClient> {
    const socket = connect(2049, server);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new NfsClient(socket);
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Handle of a path, by NFSv4. Throws when the server does not tell. */
  async handleOf(path: string): Promise<Buffer> {
    const names = path.split('/').filter((name) => name !== '');
    const call = new Writer().u32(OP.putrootfh);
    for (const name of names) call.u32(OP.lookup).opaque(name);
    const reply = await this.#compound(names.length + 2, call.u32(OP.getfh));
    if (!reply) throw new Error(`${path} is not exported`);
    for (let skipped = 0; skipped < 2 * names.length + 4; skipped += 1) reply.u32();
    return Buffer.from(reply.opaque());
  }

  /** Undefined: it is no handle that the server knows. */
  look(version: 3 | 4, handle: Uint8Array): Promise<Found | undefined> {
    return version === 4 ? this.#look4(handle) : this.#look3(handle);
  }

  /** Writes into a file, by NFSv4; answers the status (RFC 7530, 13.1): 0 when it is on the disk. */
  async write(handle: Uint8Array, at: bigint, data: Uint8Array | string): Promise<number> {
    const call = new Writer().u32(OP.putfh).opaque(handle);
    // 2: it is to be on the disk.
    call.u32(OP.write).raw(ANONYMOUS).u64(at).u32(2).opaque(data);
    const reply = await this.#call(4, 1, new Writer().u32(0, 0, 2), call);
    return reply?.u32() ?? -1;
  }

  async #look4(handle: Uint8Array): Promise<Found | undefined> {
    const at = () => new Writer().u32(OP.putfh).opaque(handle);
    const reply = await this.#compound(2, at().u32(OP.getattr, 1, ATTRIBUTES));
    if (!reply) return undefined;
    for (let skipped = 0; skipped < 4; skipped += 1) reply.u32();
    for (let words = reply.u32(); words > 0; words -= 1) reply.u32();
    reply.u32();
    const [type, size, inode] = [reply.u32(), Number(reply.u64()), reply.u64()];
    const found = { version: 4 as const, type: kind(type), inode: String(inode), size };
    if (type === FOLDER) {
      const listed = await this.#compound(2, at().u32(OP.readdir).u64(0n).u64(0n).u32(LOOK, LOOK, 0));
      for (let skipped = 0; skipped < 6 && listed; skipped += 1) listed.u32();
      const skip = (entry: Reader) => entry.raw(4 * entry.u32()) && entry.opaque();
      return { ...found, content: listed ? names(listed, (entry) => entry.u64(), skip) : '' };
    }
    if (type !== FILE) return { ...found, content: '' };
    const read = await this.#compound(2, at().u32(OP.read).raw(ANONYMOUS).u64(0n).u32(LOOK));
    for (let skipped = 0; skipped < 5 && read; skipped += 1) read.u32();
    return { ...found, content: read?.opaque().toString('latin1') ?? '' };
  }

  async #look3(handle: Uint8Array): Promise<Found | undefined> {
    const reply = await this.#call(3, 1, new Writer().opaque(handle));
    if (reply?.u32() !== OK) return undefined;
    const type = reply.u32();
    reply.raw(16);
    const size = reply.u64();
    reply.raw(24);
    const inode = reply.u64();
    const found = { version: 3 as const, type: kind(type), inode: String(inode), size: Number(size) };
    if (type === FOLDER) {
      const listed = await this.#call(3, 16, new Writer().opaque(handle).u64(0n).u64(0n).u32(LOOK));
      if (listed?.u32() !== OK) return { ...found, content: '' };
      skipAttributes(listed);
      listed.raw(8);
      return {
        ...found,
        content: names(
          listed,
          (entry) => entry.u64(),
          (entry) => entry.u64(),
        ),
      };
    }
    if (type !== FILE) return { ...found, content: '' };
    const read = await this.#call(3, 6, new Writer().opaque(handle).u64(0n).u32(LOOK));
    if (read?.u32() !== OK) return { ...found, content: '' };
    skipAttributes(read);
    read.raw(8);
    return { ...found, content: read.opaque().toString('latin1') };
  }

  /** The results behind the count of operations; undefined unless all went well. */
  async #compound(count: number, operations: Writer): Promise<Reader | undefined> {
    const reply = await this.#call(4, 1, new Writer().u32(0, 0, count), operations);
    if (reply?.u32() !== OK) return undefined;
    reply.opaque();
    reply.u32();
    return reply;
  }

  /** The results of a call; undefined when the server did not accept it. */
  async #call(version: number, procedure: number, ...parts: Writer[]): Promise<Reader | undefined> {
    const id = this.#next;
    this.#next += 1;
    const credentials = new Writer().u32(0).opaque('attacker').u32(0, 0, 0).bytes();
    const head = new Writer().u32(id, 0, 2, NFS, version, procedure, 1).opaque(credentials).u32(0, 0);
    const message = Buffer.concat([head.bytes(), ...parts.map((part) => part.bytes())]);
    const reply = new Promise<Reader>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(Buffer.concat([new Writer().u32(0x8000_0000 | message.length).bytes(), message]));
    const answer = await reply;
    // Accepted, by nobody in particular, successfully.
    if (answer.u32() !== 0) return undefined;
    answer.u32();
    answer.opaque();
    return answer.u32() === 0 ? answer : undefined;
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    while (this.#received.length >= 4) {
      const end = 4 + (this.#received.readUInt32BE(0) & 0x7fff_ffff);
      if (this.#received.length < end) return;
      const reply = new Reader(this.#received.subarray(4, end));
      this.#received = this.#received.subarray(end);
      const id = reply.u32();
      reply.u32();
      this.#waiting.get(id)?.resolve(reply);
      this.#waiting.delete(id);
    }
  }
}

function kind(type: number): Found['type'] {
  return type === FILE ? 'file' : type === FOLDER ? 'folder' : 'other';
}

function skipAttributes(reply: Reader): void {
  if (reply.u32() === 1) reply.raw(84);
}

/** Entries of a folder: a mark that one follows, something, its name, something more. */
function names(
  reply: Reader,
  before: (entry: Reader) => unknown,
  behind: (entry: Reader) => unknown,
): string {
  const found: string[] = [];
  while (reply.u32() === 1) {
    before(reply);
    found.push(reply.opaque().toString('latin1'));
    behind(reply);
  }
  return found.join('\n');
}
