import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { hasErrno, type Paths, UserError } from '../platform/index.ts';
import { inspectElf } from './elf.ts';

/** Where Debian's package busybox-static puts it. */
const HOST_BUSYBOX = '/bin/busybox';

/**
 * A static busybox for `architecture`: the host's own, or `CACHE/busybox-ARCHITECTURE`.
 * Throws UserError UNAVAILABLE that names the missing file.
 */
export async function readBusybox(architecture: Architecture, paths: Pick<Paths, 'cache'>): Promise<Buffer> {
  const cached = join(paths.cache, `busybox-${architecture}`);
  for (const path of [cached, HOST_BUSYBOX]) {
    const bytes = await readOptional(path);
    const program = bytes && inspectElf(bytes);
    if (bytes && program?.isStatic && program.architecture === architecture) return bytes;
  }
  throw new UserError(
    'UNAVAILABLE',
    `There is no static busybox for ${architecture}, so nodes of that architecture cannot boot.`,
    `Install the package busybox-static on a server of that architecture, or put the program of its ${architecture} package at ${cached}.`,
  );
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
