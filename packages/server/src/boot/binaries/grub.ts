import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { armEfiLoader } from '../../models/index.ts';
import { attempt, fileExists, type Paths, publishFile } from '../../platform/index.ts';

/** Where the recipe of default images puts it. */
const GRUB = `./usr/lib/grub/${armEfiLoader.file}`;

/** Keeps the GRUB of a default image's tar: Debian has it for machines of that CPU only, so that the server cannot install it. */
export async function keepGrub(
  architecture: Architecture,
  tar: string,
  { lentLoaders }: Pick<Paths, 'lentLoaders'>,
): Promise<void> {
  if (architecture !== 'arm64') return;
  await mkdir(lentLoaders, { recursive: true });
  const folder = await mkdtemp(join(lentLoaders, 'new.'));
  try {
    // It ends with 2 where there is none.
    await attempt(['tar', '-x', '-f', tar, '-C', folder, '--occurrence=1', '--', GRUB]);
    const file = join(folder, GRUB);
    if (await fileExists(file)) await publishFile(file, join(lentLoaders, armEfiLoader.file));
  } finally {
    await rm(folder, { recursive: true });
  }
}
