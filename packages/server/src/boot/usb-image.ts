/** An image for a USB stick from which PCs load iPXE. Alone knows mtools and SYSLINUX. */
import { randomBytes } from 'node:crypto';
import { link, lstat, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { hasErrno, type Paths, run, syncFolder, UserError } from '../platform/index.ts';

/** Bytes. */
const SECTOR = 512;
/** Sectors: where all partitioning programs have a first partition begin, and how many it has. */
const START = 2048;
const SIZE = 16_384;
/** A FAT file system that is reached by numbers of blocks: what BIOSes and UEFI both look into. */
const FAT16 = 0x0e;
const MAY_BOOT = 0x80;

/** Debian's package syslinux-common: it starts the partition that may boot. */
const MBR = '/usr/lib/syslinux/mbr/mbr.bin';

/** What lies on the stick. UEFI finds its part by its name (UEFI specification, section 3.5.1.1), the BIOS by SYSLINUX. */
const IPXES = [
  { file: 'ipxe.efi', target: 'EFI/BOOT/BOOTX64.EFI' },
  { file: 'ipxe.lkrn', target: 'ipxe.krn' },
];
const SYSLINUX_CONFIG = 'DEFAULT ipxe\nLABEL ipxe\n KERNEL ipxe.krn\n';

/**
 * Writes the image, complete or not at all. Throws UserError CONFLICT when something has that path already, INVALID when no file can
 * be there, UNAVAILABLE when iPXE is missing.
 */
export async function writeUsbImage(target: string, paths: Pick<Paths, 'loaders'>): Promise<void> {
  const path = resolve(target);
  await requireFree(path);
  const ipxes = await Promise.all(
    IPXES.map(async (ipxe) => ({ ...ipxe, path: await find(ipxe.file, paths) })),
  );
  const folder = await mkdtemp(join(tmpdir(), 'walt-usb-'));
  try {
    const partition = join(folder, 'partition');
    await makePartition(partition, ipxes);
    await publish(path, [await masterBootRecord(), await readFile(partition)]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function requireFree(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
    throw error;
  });
  if (stats?.isBlockDevice() || stats?.isCharacterDevice()) {
    throw new UserError(
      'CONFLICT',
      `${path} is a device.`,
      'Name a file that does not exist, and write it onto the stick then: dd if=FILE of=DEVICE bs=1M',
    );
  }
  if (stats) throw taken(path, stats.isDirectory() ? 'a folder' : 'there');
  const parent = await lstat(dirname(path)).catch(() => undefined);
  if (!parent?.isDirectory() && !parent?.isSymbolicLink())
    throw new UserError('INVALID', `There is no folder ${dirname(path)}.`, 'Make it first.');
}

function taken(path: string, what: string): UserError {
  return new UserError('CONFLICT', `${path} is ${what} already.`, 'Name a file that does not exist.');
}

async function find(file: string, { loaders }: Pick<Paths, 'loaders'>): Promise<string> {
  for (const folder of loaders) {
    if (await lstat(join(folder, file)).catch(() => undefined)) return join(folder, file);
  }
  throw new UserError(
    'UNAVAILABLE',
    `There is no ${file} in ${loaders.join(' or ')}.`,
    "Install Debian's package ipxe.",
  );
}

async function makePartition(
  path: string,
  ipxes: readonly { path: string; target: string }[],
): Promise<void> {
  await writeFile(path, '');
  await truncate(path, SIZE * SECTOR);
  const on = (target: string) => `::${target}`;
  // Heads and sectors are those that BIOSes make up for a stick; SYSLINUX asks for numbers of blocks.
  const geometry = ['-h', '255', '-s', '63', '-c', '1', '-H', `${START}`];
  await run(['mformat', '-i', path, '-T', `${SIZE}`, ...geometry, '-v', 'WALT', '::']);
  await run(['mmd', '-i', path, on('EFI'), on('EFI/BOOT')]);
  for (const ipxe of ipxes) await run(['mcopy', '-i', path, ipxe.path, on(ipxe.target)]);
  await run(['mcopy', '-i', path, '-', on('syslinux.cfg')], { input: SYSLINUX_CONFIG });
  await run(['syslinux', '--install', path]);
}

/** What lies before the partition: code, a table of one partition, nothing. */
async function masterBootRecord(): Promise<Buffer> {
  const bytes = Buffer.alloc(START * SECTOR);
  bytes.set(await readFile(MBR));
  // Cylinder, head and sector of both ends: too large to be told that way.
  bytes.set([MAY_BOOT, 0xfe, 0xff, 0xff, FAT16, 0xfe, 0xff, 0xff], 446);
  bytes.writeUInt32LE(START, 454);
  bytes.writeUInt32LE(SIZE, 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

/** A link takes no name that somebody has taken meanwhile. */
async function publish(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  try {
    await using file = await open(temporary, 'wx');
    for (const part of parts) await file.writeFile(part);
    await file.sync();
    await link(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw taken(path, 'there');
    if (hasErrno(error, 'EPERM', 'EACCES', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG')) {
      const why = error instanceof Error && 'code' in error ? error.code : error;
      throw new UserError('INVALID', `${path} cannot be written: ${why}.`, 'Name a file elsewhere.');
    }
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
