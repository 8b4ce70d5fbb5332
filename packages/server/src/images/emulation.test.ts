import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  Typist,
  temporaryFolder,
} from '../../test/platform.ts';
import { run } from '../platform/index.ts';
import { ruleForContainers, unregisterEmulators, withUndoList } from './emulation.ts';
import { readAptSetup } from './recipes/apt-sources.ts';

const rules: [file: string, rule: string][] = [
  [
    ':qemu-arm:M::\\x7fELF:\\xff:/usr/libexec/qemu:OPF\n',
    ':qemu-arm:M::\\x7fELF:\\xff:/usr/libexec/qemu:OPF',
  ],
  ['# comment\n\n:a:M::x:y:/q:OC\n', ':a:M::x:y:/q:OCF'],
  [':a:M::x:y:/q:', ':a:M::x:y:/q:F'],
];

test('rules get the flag that opens the emulator now', () => {
  for (const [file, rule] of rules) assert.equal(ruleForContainers(file), rule);
  assert.throws(() => ruleForContainers('# nothing\n'), TypeError);
});

let platform: Platform;

before(async () => {
  platform = await openPlatform(await temporaryFolder());
});

after(() => destroyPlatform(platform));

/** busybox for arm64 from Debian, as an image. */
async function armTar(): Promise<string> {
  const { release, sources, options } = await readAptSetup();
  const folder = join(platform.folder, 'mmdebstrap');
  const tar = join(platform.folder, 'arm64.tar');
  await mkdir(folder);
  const argv = [
    ...[
      'mmdebstrap',
      '--mode=root',
      '--variant=extract',
      '--architectures=arm64',
      '--include=busybox-static',
    ],
    ...options.map((option) => `--aptopt=${option}`),
    '--extract-hook=mkdir -p "$1/root"; for name in sh uname; do ln -s busybox "$1/bin/$name"; done',
    ...[release, tar, '-'],
  ];
  await run(argv, { input: `${sources.join('\n')}\n`, env: { TMPDIR: folder } });
  await rm(folder, { recursive: true });
  return tar;
}

test("an image for another CPU opens in the same shell, and the machine's setting is undone", async () => {
  const rulesBefore = await registeredRules();
  const source = { tar: await armTar(), architecture: 'arm64' as const };
  const { shells } = platform.images;
  const image = await result(platform.images.importTar('ann', source, { owner: 'ann', name: 'arm' }, false));
  assert.equal(image.architecture, 'arm64');
  const session = await shells.open('ann', image);
  assert.equal(session.emulated, true);
  const typist = new Typist(await shells.attach(session.id, { columns: 80, rows: 24 }));
  assert.match(await typist.type('uname -m'), /^aarch64\r\n$/);
  await typist.type('echo 1 > /root/kept');
  await typist.exit();
  const saved = await result(shells.save('ann', session.id, { owner: 'ann', name: 'arm' }));
  assert.equal(saved.image.architecture, 'arm64');
  await unregisterEmulators(platform.paths);
  assert.equal(await registeredRules(), rulesBefore);
});

test('what several servers note at once is all noted', async () => {
  const { paths, folder } = platform;
  const program = join(import.meta.dirname, 'emulation.fixture.ts');
  const names = ['a', 'b', 'c'];
  await Promise.all(names.map((name) => run([process.execPath, program, join(folder, 'state'), name, '20'])));
  const expected = names.flatMap((name) => Array.from({ length: 20 }, (_, index) => `${name}-${index}`));
  await withUndoList(paths, async (list) => {
    assert.deepEqual([...list.noted.rules].sort(), expected.sort());
    await list.clear();
  });
});

/** Empty while binfmt_misc is not mounted. */
async function registeredRules(): Promise<string> {
  if (!(await readFile('/proc/mounts', 'utf8')).includes(' binfmt_misc ')) return '';
  return run(['ls', '/proc/sys/fs/binfmt_misc']);
}
