import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { withTree } from '../../trees/index.ts';
import { compareReleases, findKernels } from './kernel.ts';

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

const kernelOf = (release: string) => [`boot/vmlinuz-${release}`, `lib/modules/${release}/modules.dep`];

describe('the kernel of an image', () => {
  const rows: {
    name: string;
    files: string[];
    links?: [string, string][];
    release: string | undefined;
    real?: string;
  }[] = [
    {
      name: 'newest for virtual machines, and newest for real ones',
      files: [
        ...kernelOf('6.1.0-56-amd64'),
        ...kernelOf('6.1.0-57-amd64'),
        ...kernelOf('6.1.0-57-cloud-amd64'),
      ],
      release: '6.1.0-57-cloud-amd64',
      real: '6.1.0-57-amd64',
    },
    {
      name: 'newer than that for virtual machines',
      files: [...kernelOf('6.12.9-amd64'), ...kernelOf('6.1.0-57-cloud-amd64')],
      release: '6.12.9-amd64',
    },
    {
      name: 'of another kind, as chosen by its user',
      files: ['6.1.0-57-amd64', '6.1.0-57-cloud-amd64', '6.1.0-57-rt-amd64'].flatMap(kernelOf),
      release: '6.1.0-57-rt-amd64',
    },
    {
      name: 'for virtual machines only, where there is no other',
      files: kernelOf('5.15.0-1072-kvm'),
      release: '5.15.0-1072-kvm',
    },
    {
      name: 'of Alpine, for both',
      files: [...kernelOf('6.6.58-0-lts'), ...kernelOf('6.6.58-0-virt')],
      release: '6.6.58-0-virt',
      real: '6.6.58-0-lts',
    },
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
  for (const { name, files, links = [], release, real } of rows) {
    test(name, async () => {
      const image = await mkdtemp(join(tmpdir(), 'walt-kernel-'));
      try {
        for (const file of files) {
          await mkdir(dirname(join(image, file)), { recursive: true });
          await writeFile(join(image, file), '');
        }
        for (const [path, target] of links) await symlink(target, join(image, path));
        const kernels = await withTree(image, findKernels);
        assert.deepEqual([kernels?.newest.release, kernels?.real?.release], [release, real]);
      } finally {
        await rm(image, { recursive: true });
      }
    });
  }
});
