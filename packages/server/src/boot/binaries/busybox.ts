import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { attempt, hasErrno, type Paths, publishFile, UserError } from '../../platform/index.ts';
import { inspectElf } from './elf.ts';

/** Where Debian's package busybox-static puts it. */
const HOST_BUSYBOX = '/bin/busybox';

/** Keeps the busybox of a default image's tar, for nodes whose CPU is not the host's. */
export async function keepBusybox(
  architecture: Architecture,
  tar: string,
  paths: Pick<Paths, 'busybox'>,
): Promise<void> {
  if ((await inspect(HOST_BUSYBOX))?.architecture === architecture) return;
  await mkdir(paths.busybox, { recursive: true });
  const folder = await mkdtemp(join(paths.busybox, `${architecture}.`));
  try {
    const members = ['./usr/bin/busybox', './bin/busybox'];
    // It ends with 2 where one of them is missing: what counts is what it has found.
    await attempt(['tar', '-x', '-f', tar, '-C', folder, '--occurrence=1', '--', ...members]);
    for (const member of members) {
      if ((await inspect(join(folder, member)))?.architecture === architecture) {
        return await publishFile(join(folder, member), join(paths.busybox, architecture));
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * A static busybox for `architecture`: the host's own, or that of the default image. Throws UserError UNAVAILABLE when there is
 * none.
 */
export async function readBusybox(
  architecture: Architecture,
  paths: Pick<Paths, 'busybox'>,
): Promise<Buffer> {
  for (const path of [join(paths.busybox, architecture), HOST_BUSYBOX]) {
    const program = await inspect(path);
    if (program?.isStatic && program.architecture === architecture) return program.bytes;
  }
  throw new UserError(
    'UNAVAILABLE',
    `There is no static busybox for ${architecture}, so nodes of that architecture cannot boot.`,
    `Make the default image of that architecture, which brings one: walt advanced update-default-images --arch ${architecture}`,
  );
}

async function inspect(path: string) {
  try {
    const bytes = await readFile(path);
    return { bytes, ...inspectElf(bytes) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
