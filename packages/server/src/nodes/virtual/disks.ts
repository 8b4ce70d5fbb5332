/** Disks of virtual machines: sparse files beside their consoles. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskSpec, DiskTemplate } from '@walt/contract';
import { type DiskContent, hasErrno, makeDisk, namesIn, UserError } from '../../platform/index.ts';

/** A file that is a disk, or was to become one. */
const DISK_FILE = /^disk\d+\.[a-z0-9-]+\.img(?:\.[0-9a-f]{12}\.tmp)?$/;

/** Of a file beside a machine's console. */
export function isDiskFile(name: string): boolean {
  return DISK_FILE.test(name);
}

/** Of one that is whole: neither is it being made, nor was that broken off. */
export function isMadeDisk(name: string): boolean {
  return isDiskFile(name) && name.endsWith('.img');
}

/** Of the disk at `index`, counted from 0. The name tells the template: a disk with another one is another disk. */
export function diskFile(folder: string, index: number, { template }: Pick<DiskSpec, 'template'>): string {
  return join(folder, `disk${index + 1}.${template}.img`);
}

const CONTENTS: Record<DiskTemplate, Omit<DiskContent, 'size'>> = {
  none: {},
  ext4: { fileSystem: 'ext4' },
  fat32: { fileSystem: 'fat32' },
  // As images made for WalT find out that they are to boot from it.
  'hybrid-boot-v': { fileSystem: 'ext4', fill: (folder) => mkdir(join(folder, 'walt_hybrid')) },
  'hybrid-boot-p': {
    fileSystem: 'ext4',
    fill: async (folder) => {
      await mkdir(join(folder, 'walt_hybrid'));
      await writeFile(join(folder, 'walt_hybrid', '.persistent'), '');
    },
  },
};

/** What becomes of a machine's disks. One that is made smaller, or gets another template, is lost, and another one is made. */
export function compareDisks(before: readonly DiskSpec[], after: readonly DiskSpec[]) {
  const isKept = (index: number) => {
    const [old, wanted] = [before[index], after[index]];
    return old?.template === wanted?.template && (old?.size ?? 0) <= (wanted?.size ?? 0);
  };
  return {
    made: after.filter((_, index) => before[index] === undefined || !isKept(index)),
    /** Positions of those that are lost, from 0. */
    lost: [...before.keys()].filter((index) => !isKept(index)),
  };
}

/**
 * Makes the disks that are missing, and those larger that are smaller. One that is larger than it should be is made anew: whoever
 * wants that was asked. A QEMU that runs keeps the file that it opened.
 */
export async function ensureDisks(folder: string, disks: readonly DiskSpec[]): Promise<void> {
  for (const [index, disk] of disks.entries()) {
    const file = diskFile(folder, index, disk);
    const size = await sizeOf(file);
    if (size === disk.size) continue;
    if (size !== undefined && size < disk.size) await truncate(file, disk.size);
    else await makeDisk(file, { size: disk.size, ...CONTENTS[disk.template] });
  }
}

/** Deletes all disks but these, and what was left when one was being made. */
export async function removeOtherDisks(folder: string, disks: readonly DiskSpec[]): Promise<void> {
  const kept = new Set(disks.map((disk, index) => diskFile(folder, index, disk)));
  for (const name of await namesIn(folder)) {
    const file = join(folder, name);
    if (isDiskFile(name) && !kept.has(file)) await rm(file, { force: true });
  }
}

/** Bytes that each disk takes on the server; null: it is not made yet. */
export async function usedBytes(folder: string, disks: readonly DiskSpec[]): Promise<(number | null)[]> {
  return await Promise.all(
    disks.map(async (disk, index) => {
      const found = await statIfPresent(diskFile(folder, index, disk));
      // In units of 512 bytes, whatever the file system (stat(2)).
      return found ? found.blocks * 512 : null;
    }),
  );
}

/** Bytes that the server's disk must have left for each disk that is made: the tables of a large FAT take nearly as much. */
const ROOM = 512_000_000;

/**
 * Throws UserError unless disks can be made in this folder: INVALID where its file system has no such large files, UNAVAILABLE where
 * it is nearly full.
 */
export async function requireDiskRoom(folder: string, disks: readonly DiskSpec[]): Promise<void> {
  const largest = Math.max(0, ...disks.map(({ size }) => size));
  if (largest === 0) return;
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < ROOM * disks.length) {
    throw new UserError(
      'UNAVAILABLE',
      `The disk of the server is nearly full: it has ${Math.floor(free / 1_000_000)} MB left.`,
      `A new disk needs ${ROOM / 1_000_000} MB there to begin with. Remove what you do not need, or ask the administrator.`,
    );
  }
  if (await hasRoomFor(folder, largest)) return;
  throw new UserError(
    'INVALID',
    `The file system of the server has no files of ${asTyped(largest)}, as this disk would be.`,
    'Ask for smaller disks. Nothing was changed.',
  );
}

/** Whether a file there can have so many bytes: only an attempt tells. */
async function hasRoomFor(folder: string, size: number): Promise<boolean> {
  const file = join(folder, `disk0.probe.img.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await using probe = await open(file, 'wx', 0o600);
    await probe.truncate(size);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EFBIG', 'EINVAL')) return false;
    throw error;
  } finally {
    await rm(file, { force: true });
  }
}

/** A size as users type it. */
function asTyped(bytes: number): string {
  const [tera, giga] = [bytes / 1_000_000_000_000, bytes / 1_000_000_000];
  return Number.isInteger(tera) ? `${tera}T` : `${giga}G`;
}

async function sizeOf(file: string): Promise<number | undefined> {
  return (await statIfPresent(file))?.size;
}

async function statIfPresent(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
