import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { withTree } from '../../trees/index.ts';
import { compareReleases, findKernel } from './kernel.ts';

test('releases are ordered by their numbers', () => {
  const ordered = [
    '5.10.0-9-amd64',
    '5.10.0-28-amd64',
    '6.1.0-9-cloud-amd64',
    '6.1.0-37-cloud-amd64',
    '6.12',
    '6.12.1',
    '6.12.48+deb13-amd64',
  ];
  assert.deepEqual(ordered.toReversed().sort(compareReleases), ordered);
});

describe('the kernel of an image', () => {
  const rows: { name: string; files: string[]; links?: [string, string][]; release: string | undefined }[] = [
    { name: 'no kernel', files: ['etc/hostname'], release: undefined },
    {
      name: 'the newest of two',
      files: [
        ...['boot/vmlinuz-6.1.0-9', 'lib/modules/6.1.0-9/modules.dep'],
        ...['boot/vmlinuz-6.1.0-37', 'lib/modules/6.1.0-37/modules.dep'],
      ],
      release: '6.1.0-37',
    },
    {
      name: 'one whose modules are there',
      files: ['boot/vmlinuz-6.1.0-9', 'lib/modules/6.1.0-9/modules.dep', 'boot/vmlinuz-6.1.0-37'],
      release: '6.1.0-9',
    },
    {
      name: 'one whose file is there',
      files: ['boot/vmlinuz-1.0', 'lib/modules/1.0/modules.dep', 'lib/modules/2.0/modules.dep'],
      release: '1.0',
    },
    {
      name: 'behind a merged /usr',
      files: ['boot/vmlinuz-6.1', 'usr/lib/modules/6.1/modules.dep'],
      links: [['lib', 'usr/lib']],
      release: '6.1',
    },
    {
      name: 'beside its modules, as Fedora has it',
      files: ['lib/modules/6.1/vmlinuz', 'lib/modules/6.1/modules.dep'],
      release: '6.1',
    },
    {
      name: 'none with a name that is no release',
      files: ['boot/vmlinuz-6 x', 'lib/modules/6 x/modules.dep'],
      release: undefined,
    },
  ];
  for (const { name, files, links = [], release } of rows) {
    test(name, async () => {
      const image = await mkdtemp(join(tmpdir(), 'walt-kernel-'));
      try {
        for (const file of files) {
          await mkdir(dirname(join(image, file)), { recursive: true });
          await writeFile(join(image, file), '');
        }
        for (const [path, target] of links) await symlink(target, join(image, path));
        const kernel = await withTree(image, findKernel);
        assert.equal(kernel?.release, release);
      } finally {
        await rm(image, { recursive: true });
      }
    });
  }
});
