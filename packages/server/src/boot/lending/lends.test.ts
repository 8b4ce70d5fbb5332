import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { withTree } from '../../trees/index.ts';
import { inittabPrograms, readFacts } from './image-facts.ts';
import { type ImageFacts, planLends } from './lends.ts';

describe('what is lent', () => {
  const complete: ImageFacts = { kernel: true, init: true, ssh: true, shell: true };
  const rows: [missing: Partial<ImageFacts>, lends: string[]][] = [
    [{}, []],
    [{ kernel: false }, ['kernel']],
    [{ ssh: false }, ['ssh']],
    [{ shell: false }, ['shell']],
    [{ kernel: false, ssh: false }, ['kernel', 'ssh']],
    // Nobody would start the server that it has.
    [{ init: false }, ['init', 'ssh']],
    [{ kernel: false, init: false, ssh: false, shell: false }, ['kernel', 'init', 'ssh', 'shell']],
  ];
  for (const [missing, lends] of rows) {
    test(`to an image without ${Object.keys(missing).join(', ') || 'a lack'}: ${lends.join(', ') || 'nothing'}`, () => {
      assert.deepEqual(planLends({ ...complete, ...missing }), lends);
    });
  }
});

describe('the facts of an image', () => {
  interface Row {
    name: string;
    /** Its /bin, /sbin and /lib are links into /usr. */
    merged?: boolean;
    files?: Record<string, string>;
    links?: [string, string][];
    has: ('init' | 'ssh' | 'shell')[];
  }
  const busybox: [string, string][] = [
    ['bin/sh', 'busybox'],
    ['sbin/init', '/bin/busybox'],
    ['sbin/getty', '/bin/busybox'],
  ];
  const inittab = (line: string) => ({ 'bin/busybox': '', 'etc/inittab': `# terminals\n${line}\n` });
  const rows: Row[] = [
    { name: 'from scratch', files: { 'app/run': '' }, has: [] },
    {
      name: 'with systemd and OpenSSH, behind a merged /usr',
      merged: true,
      files: { 'usr/lib/systemd/systemd': '', 'usr/sbin/sshd': '', 'usr/bin/dash': '' },
      links: [
        ['usr/sbin/init', '/lib/systemd/systemd'],
        ['usr/bin/sh', 'dash'],
      ],
      has: ['init', 'ssh', 'shell'],
    },
    { name: 'with a link that leads nowhere', links: [['sbin/init', '/lib/systemd/systemd']], has: [] },
    { name: 'with a script as init', files: { 'sbin/init': '#!/bin/sh' }, has: ['init'] },
    { name: 'of busybox alone', files: { 'bin/busybox': '' }, links: busybox, has: ['shell'] },
    {
      name: 'of busybox with a start script',
      files: { 'bin/busybox': '', 'etc/init.d/rcS': '' },
      links: busybox,
      has: ['init', 'shell'],
    },
    // As in containers of Alpine: OpenRC is not installed.
    {
      name: 'of busybox with an inittab for what is not there',
      files: inittab('::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1'),
      links: busybox,
      has: ['shell'],
    },
    {
      name: 'of busybox with an inittab for what is there',
      files: { ...inittab('::sysinit:/sbin/openrc sysinit'), 'sbin/openrc': '' },
      links: busybox,
      has: ['init', 'shell'],
    },
    {
      name: 'of busybox with an inittab that starts a script',
      files: inittab("::once:/bin/sh -c 'date > /date'"),
      links: busybox,
      has: ['init', 'shell'],
    },
    {
      name: 'of busybox with an inittab that opens a shell',
      files: inittab('::respawn:-/bin/sh'),
      links: busybox,
      has: ['shell'],
    },
  ];
  for (const { name, merged, files = {}, links = [], has } of rows) {
    test(`${name}: ${has.join(', ') || 'nothing'}`, async () => {
      const image = await mkdtemp(join(tmpdir(), 'walt-facts-'));
      try {
        for (const name of merged ? ['bin', 'sbin', 'lib'] : []) {
          await mkdir(join(image, 'usr', name), { recursive: true });
          await symlink(`usr/${name}`, join(image, name));
        }
        for (const [path, content] of Object.entries(files)) {
          await mkdir(dirname(join(image, path)), { recursive: true });
          await writeFile(join(image, path), content);
        }
        for (const [path, target] of links) {
          await mkdir(dirname(join(image, path)), { recursive: true });
          await symlink(target, join(image, path));
        }
        const facts = await withTree(image, (tree) => readFacts(tree, false));
        assert.deepEqual(facts, {
          kernel: false,
          init: has.includes('init'),
          ssh: has.includes('ssh'),
          shell: has.includes('shell'),
        });
      } finally {
        await rm(image, { recursive: true });
      }
    });
  }
});

test('an inittab names programs behind its third colon', () => {
  const text = '# ::once:/no\n::sysinit:/sbin/a b c\ntty1:2:respawn:-/bin/sh\n\nid:3:initdefault:\n';
  assert.deepEqual(inittabPrograms(text), [
    { program: '/sbin/a', bare: false },
    { program: '/bin/sh', bare: true },
  ]);
});
