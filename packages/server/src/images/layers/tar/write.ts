import { withoutSlashes } from '../../../trees/index.ts';
import { BLOCK, type TarHeader, type TarType, XATTR } from './header.ts';

const LETTERS: Readonly<Record<TarType, string>> = {
  ...{ file: '0', folder: '5', link: '2', 'hard-link': '1' },
  ...{ pipe: '6', 'char-device': '3', 'block-device': '4' },
};

/** Blocks of an entry up to its content (POSIX.1-2001 pax). All that the old header cannot say is in a header in front of it. */
export function tarHeader(header: TarHeader): Buffer {
  const { type, mode, uid, gid, size, mtime, target, attributes } = header;
  const path = type === 'folder' ? `${withoutSlashes(header.path)}/` : header.path;
  const records: [string, string][] = [];
  if (!isPlain(path)) records.push(['path', path]);
  if (!isPlain(target)) records.push(['linkpath', target]);
  if (uid > MAX_OLD_ID) records.push(['uid', String(uid)]);
  if (gid > MAX_OLD_ID) records.push(['gid', String(gid)]);
  if (size > MAX_OLD_SIZE) records.push(['size', String(size)]);
  if (mtime % SECOND !== 0n || mtime < 0n || mtime / SECOND > BigInt(MAX_OLD_SIZE)) {
    records.push(['mtime', renderTime(mtime)]);
  }
  for (const [name, value] of attributes) records.push([`${XATTR}${name}`, value]);
  const { device } = header;
  const own = block(path, LETTERS[type], { mode, uid, gid, size, mtime, target, ...(device && { device }) });
  if (records.length === 0) return own;
  const body = Buffer.from(records.map(([key, value]) => renderRecord(key, value)).join(''), 'latin1');
  const extended = { mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: 0n, target: '' };
  return Buffer.concat([block('PaxHeaders/entry', 'x', extended), body, padding(body.length), own]);
}

/** What fills the last block of so many bytes of content. */
export function padding(size: number): Buffer {
  return Buffer.alloc(-size & (BLOCK - 1));
}

export function endOfTar(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

const SECOND = 1_000_000_000n;
const MAX_OLD_ID = 0o7777777;
const MAX_OLD_SIZE = 0o77777777777;
const NAME_LENGTH = 100;

/** What the old header can hold, so that no reader has to guess an encoding. */
function isPlain(name: string): boolean {
  return name.length <= NAME_LENGTH && /^[\x20-\x7e]*$/.test(name);
}

function block(
  path: string,
  letter: string,
  header: Pick<TarHeader, 'mode' | 'uid' | 'gid' | 'size' | 'mtime' | 'target' | 'device'>,
): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const put = (value: string, offset: number) => bytes.write(value, offset, 'latin1');
  // What does not fit is told by the header in front, and cut or zero here.
  const octal = (value: number, offset: number, length: number) =>
    put((value < 8 ** (length - 1) ? value : 0).toString(8).padStart(length - 1, '0'), offset);
  const seconds = header.mtime < 0n ? 0 : Number(header.mtime / SECOND);
  put(path.slice(0, NAME_LENGTH), 0);
  octal(header.mode, 100, 8);
  octal(header.uid, 108, 8);
  octal(header.gid, 116, 8);
  octal(header.size, 124, 12);
  octal(seconds, 136, 12);
  put('        ', 148);
  put(letter, 156);
  put(header.target.slice(0, NAME_LENGTH), 157);
  put('ustar\0' + '00', 257);
  octal(header.device?.major ?? 0, 329, 8);
  octal(header.device?.minor ?? 0, 337, 8);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function renderTime(mtime: bigint): string {
  const size = mtime < 0n ? -mtime : mtime;
  const part = (size % SECOND).toString().padStart(9, '0').replace(/0+$/, '');
  return `${mtime < 0n ? '-' : ''}${size / SECOND}${part === '' ? '' : `.${part}`}`;
}

/** The length counts its own digits. */
function renderRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
}
