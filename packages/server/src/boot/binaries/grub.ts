import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { attempt, fileExists, type Paths, publishFile } from '../../platform/index.ts';

/** Where the recipe of default images puts what Debian's package grub-efi-arm64-bin has, and how firmware asks for it. */
const MEMBERS = ['monolithic/grubnetaa64.efi', 'http.mod'].map((name) => `./usr/lib/grub/arm64-efi/${name}`);

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
    // It ends with 2 where one of them is missing: what counts is what it has found.
    await attempt(['tar', '-x', '-f', tar, '-C', folder, '--occurrence=1', '--', ...MEMBERS]);
    for (const member of MEMBERS) {
      const file = join(folder, member);
      if (await fileExists(file)) await publishFile(file, join(lentLoaders, basename(member)));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
