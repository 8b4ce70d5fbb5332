import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Checkout } from './checkout.ts';
import { FakeServer } from './fake-server.ts';
import { fakeDigest } from './fixtures.ts';

let server: FakeServer;
let checkout: Checkout;
let folder: string;

const FILES = {
  Dockerfile: 'FROM scratch\n',
  'src/a.c': 'a',
  'src/a.o': 'o',
  'src/deep/kept.o': 'o',
  'notes/x': 'x',
  '.dockerignore': '**/*.o\n!src/deep/kept.o\nnotes\n',
};

before(async () => {
  server = await FakeServer.start();
  checkout = await Checkout.make(server.socket);
  folder = await mkdtemp(join(tmpdir(), 'walt-build-test-'));
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFile(join(folder, 'src/Other'), 'FROM lab\n');
  await symlink('/etc', join(folder, 'src/link'));
});
after(async () => {
  checkout[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  server.world.calls.length = 0;
  server.world.confirm.clear();
  server.world.buildError = undefined;
});

const build = (...words: string[]) => checkout.run(['image', 'build', 'exp', '--from-dir', folder, ...words]);
const asked = () => server.world.calls.find(([name]) => name === 'image.build.prepare')?.[1];

test('sends what is not ignored, shows the build and tells what came of it', async () => {
  const { status, stdout, stderr } = await build('--build-arg', 'A=b=c', '--no-cache');
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /^\.\/\.dockerignore \.\/Dockerfile \.\/src\/? \S+Other \S+a\.c \S+deep\/? \S+kept\.o \S+link$/m,
  );
  assert.match(stdout, /^alice\/exp is built \(sha256:/m);
  assert.match(stderr, /vnode1 still runs the older version/);
  assert.deepEqual(asked(), {
    ...{ name: 'exp', file: 'Dockerfile', dockerfile: 'FROM scratch\n', source: folder },
    ...{ args: { A: 'b=c' }, cache: false, yes: false },
  });
});

test('--json prints data only; --file and --sub-dir choose', async () => {
  const { status, stdout } = await build('--sub-dir', 'src', '--file', 'Other', '--json', '--arch', 'arm64');
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout), {
    ...{ image: 'alice/exp', digest: fakeDigest, changed: true, nodes: ['vnode1'] },
  });
  assert.partialDeepStrictEqual(asked(), { dockerfile: 'FROM lab\n', file: 'Other', architecture: 'arm64' });
});

describe('ends with an error', () => {
  const cases: [what: string, words: string[], status: number, message: RegExp][] = [
    ['for both sources', ['--from-url', 'https://x/y'], 2, /contradict each other/],
    ['for --ref alone', ['--ref', 'main'], 2, /--ref is a version of a git repository/],
    ['for a folder that is missing', ['--sub-dir', 'absent'], 1, /There is no folder/],
    ['for a Dockerfile that is missing', ['--file', 'absent'], 1, /There is no absent in/],
    ['for no Dockerfile at all', ['--sub-dir', 'notes'], 1, /no Containerfile and no Dockerfile/],
    ['for a variable that is not set', ['--build-arg', 'WALT_TEST_UNSET'], 2, /WALT_TEST_UNSET/],
    ['for a name that is none', ['--build-arg', '-x=1'], 2, /args/],
  ];
  for (const [what, words, status, message] of cases) {
    test(what, async () => {
      const end = await build(...words);
      assert.deepEqual([end.status, message.test(end.stderr)], [status, true], end.stderr);
    });
  }

  test('that the server tells', async () => {
    server.world.buildError = 'Dockerfile:3: RUN false: exit status 1.';
    const { status, stdout, stderr } = await build();
    assert.equal(status, 1);
    assert.match(stdout, /src\/a\.c/);
    assert.match(stderr, /^walt: Dockerfile:3: RUN false: exit status 1\.$/m);
  });

  test('when nobody can be asked whether to replace an image', async () => {
    server.world.confirm.set('image.build.prepare', 'You have an image exp already.');
    const { status, stderr } = await build();
    assert.equal(status, 1);
    assert.match(stderr, /You have an image exp already\.\n.*--yes/);
    assert.equal((await build('--yes')).status, 0);
  });
});

test('takes for a repository only what git cannot take for an option', async () => {
  for (const words of [
    ['--from-url=--upload-pack=touch x'],
    ['--from-url=-x'],
    ['--from-url', 'file:///x', '--ref=--exec'],
    ['--from-url', 'file:///x', '--ref=a:b'],
  ]) {
    const { status, stderr } = await checkout.run(['image', 'build', 'exp', ...words]);
    assert.equal(status, 2, stderr);
  }
  assert.equal(asked(), undefined);
});
