/** Extended attributes of the files that an image is built from. */
import { streamProgram, UserError } from '../../platform/index.ts';
import { bytesOf } from '../../trees/index.ts';
import type { TarHeader } from '../layers/tar/index.ts';

const ACCESS_LIST = 'system.posix_acl_access';
/** What says something to who runs the image; user.* is only for files and folders (xattr(7)). */
const KEPT = /^(?:user\.[\s\S]+|security\.capability)$/;

/** True when a file has an access list. */
export function isListed({ attributes }: TarHeader): boolean {
  return attributes.has(ACCESS_LIST);
}

/**
 * With the attributes that a build keeps. buildah loses access lists: the group's right is then what the list says, not what its mask
 * allows to others, too. Throws UserError INVALID for a list that is none.
 */
export function withoutList(header: TarHeader): TarHeader {
  const attributes = new Map([...header.attributes].filter(([name]) => KEPT.test(name)).sort());
  const list = header.attributes.get(ACCESS_LIST);
  if (list === undefined) return { ...header, attributes };
  const right = groupRight(bytesOf(list));
  if (right === undefined) {
    throw new UserError(
      'INVALID',
      'A file has an access list that is none.',
      'Remove it with: setfacl -b FILE',
    );
  }
  return { ...header, attributes, mode: (header.mode & ~0o070) | (right << 3) };
}

/** Paths, names and values are bytes, as Latin-1 strings. */
export interface Attributed {
  /** Below the folder. */
  path: string;
  attributes: readonly (readonly [name: string, value: string])[];
}

/** Sets them by setfattr(1), since Node cannot. Links are not followed. Throws UserError INVALID when the disk does not take one. */
export async function writeAttributes(folder: string, files: readonly Attributed[]): Promise<void> {
  if (files.length === 0) return;
  const argv = ['setfattr', '--no-dereference', '--restore=-'];
  const program = streamProgram(argv, { cwd: folder, env: { LC_ALL: 'C' }, stdin: dump(files) });
  program.stdout.resume();
  try {
    await program.ended;
  } catch (error) {
    const [first = ''] = program.complaint().split('\n');
    if (!first.startsWith('setfattr: ')) throw error;
    throw new UserError(
      'INVALID',
      `An attribute of the folder's files cannot be kept: ${first.slice('setfattr: '.length)}.`,
      'Remove it with setfattr -x, or name the file in .dockerignore.',
    );
  }
}

/** As `getfattr --dump --encoding=hex` prints it. */
function dump(files: readonly Attributed[]): Buffer {
  const paragraphs = files.map(({ path, attributes }) => {
    const lines = attributes.map(([name, value]) => {
      return `${escaped(name)}=0x${bytesOf(value).toString('hex')}\n`;
    });
    return `# file: ${escaped(`./${path}`)}\n${lines.join('')}\n`;
  });
  return bytesOf(paragraphs.join(''));
}

/** Bytes as `\ooo` that mean something there. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9_./-]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Entries of an access list as the kernel stores it (linux/posix_acl_xattr.h): 16 bits each of kind and rights, 32 of whom. */
const GROUP_ITSELF = 0x04;
const MASK = 0x10;

/** Rights (0 to 7) that the list gives to the group of the file; undefined: it is no list. */
export function groupRight(list: Buffer): number | undefined {
  if (list.length < 4 || list.length % 8 !== 4 || list.readUInt32LE(0) !== 2) return undefined;
  const rights = new Map<number, number>();
  for (let at = 4; at < list.length; at += 8)
    rights.set(list.readUInt16LE(at), list.readUInt16LE(at + 2) & 7);
  const own = rights.get(GROUP_ITSELF);
  return own === undefined ? undefined : own & (rights.get(MASK) ?? 7);
}
