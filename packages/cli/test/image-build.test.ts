import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openClient } from './client.ts';

const { server, checkout } = await openClient();
const { images } = server.platform;
let folder: string;

const FILES = {
  Dockerfile: 'FROM scratch\nARG A\nCOPY . /\nLABEL a=$A\n',
  Failing: 'FROM lab\nRUN echo so far; false\n',
  'src/a.c': 'a',
  'src/a.o': 'o',
  'src/deep/kept.o': 'o',
  'notes/x': 'x',
  '.dockerignore': '**/*.o\n!src/deep/kept.o\nnotes\n',
};

before(async () => {
  await server.addTree('alice/lab');
  folder = await mkdtemp(join(tmpdir(), 'walt-build-test-'));
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFile(join(folder, 'src/Other'), 'FROM lab\n');
  await symlink('/etc', join(folder, 'src/link'));
});
after(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  if (await images.find('alice', 'exp'))
    await server.platform.database.deleteFrom('image').where('name', '=', 'exp').execute();
  server.calls.length = 0;
});

const build = (...words: string[]) => checkout.run(['image', 'build', 'exp', '--from-dir', folder, ...words]);
const asked = () => server.calls.find(([name]) => name === 'image.build.open')?.[1];

test('sends what is not ignored, shows the build and tells what came of it', async () => {
  await server.addTree('alice/exp', { file: 'older' });
  await server.addNode('vnode1', 'alice/exp');
  const { status, stdout, stderr } = await build('--build-arg', 'A=b=c', '--no-cache', '--yes');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /COPY \. \/[\s\S]*^alice\/exp is built \(sha256:/m);
  assert.match(stderr, /vnode1 still runs the older version/);
  assert.deepEqual(asked(), {
    ...{ name: 'exp', file: 'Dockerfile', dockerfile: FILES.Dockerfile, source: folder },
    ...{ args: { A: 'b=c' }, cache: false, yes: true },
  });
  const made = await images.get('alice', 'exp');
  const kinds = ['src/a.c', 'src/deep/kept.o', 'src/a.o', 'notes'].map((path) =>
    images.kindOfFile(made, `/${path}`),
  );
  assert.deepEqual(await Promise.all(kinds), ['file', 'file', undefined, undefined]);
});

test('--json prints data only; --file and --sub-dir choose', async () => {
  const { status, stdout } = await build('--sub-dir', 'src', '--file', 'Other', '--json', '--arch', 'amd64');
  assert.equal(status, 0);
  const { digest } = await images.get('alice', 'exp');
  assert.partialDeepStrictEqual(JSON.parse(stdout), { image: 'alice/exp', digest });
  assert.partialDeepStrictEqual(asked(), { dockerfile: 'FROM lab\n', file: 'Other', architecture: 'amd64' });
});

describe('ends with an error', () => {
  const cases: [what: string, words: string[], status: number, message: RegExp][] = [
    ['for both sources', ['--from-url', 'https://x/y'], 2, /contradict each other/],
    ['for --ref alone', ['--ref', 'main'], 2, /--ref is a version of a git repository/],
    ['for a folder that is missing', ['--sub-dir', 'absent'], 1, /There is no folder/],
    ['for a Dockerfile that is missing', ['--file', 'absent'], 1, /There is no absent in/],
    ['for no Dockerfile at all', ['--sub-dir', 'notes'], 1, /no Containerfile and no Dockerfile/],
    ['for a variable that is not set', ['--build-arg', 'WALT_TEST_UNSET'], 2, /WALT_TEST_UNSET/],
    ['for a name that is none', ['--build-arg', '-x=1'], 1, /--build-arg "-x" must be letters/],
  ];
  for (const [what, words, status, message] of cases) {
    test(what, async () => {
      const end = await build(...words);
      assert.deepEqual([end.status, message.test(end.stderr)], [status, true], end.stderr);
    });
  }

  test('that the server tells', async () => {
    const { status, stdout, stderr } = await build('--file', 'Failing');
    assert.equal(status, 1);
    assert.match(stdout, /^so far$/m);
    assert.match(stderr, /^walt: Failing:2: /m);
    assert.equal(await images.find('alice', 'exp'), undefined);
  });

  test('when nobody can be asked whether to replace an image', async () => {
    await server.addTree('alice/exp', { file: 'older' });
    const { status, stderr } = await build();
    assert.equal(status, 1);
    assert.match(stderr, /You have an image exp already.*\n.*--yes/);
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
