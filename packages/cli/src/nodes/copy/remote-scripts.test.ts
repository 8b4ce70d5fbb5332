/** The scripts under busybox, as on nodes whose image has no GNU tar. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KIND, PACK, UNPACK } from './remote-scripts.ts';

let folder: string;
let programs: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'walt-remote-'));
  programs = join(folder, 'bin');
  mkdirSync(programs);
  for (const name of ['sh', 'tar', 'grep', 'mkdir', 'mktemp', 'mv', 'rm']) {
    symlinkSync('/bin/busybox', join(programs, name));
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

function onNode(
  script: string,
  words: readonly string[],
  input: Uint8Array = new Uint8Array(),
  path = programs,
) {
  const env = { PATH: path, HOME: folder };
  const { status, stdout, stderr } = spawnSync('/bin/busybox', ['sh', '-c', script, 'walt-cp', ...words], {
    env,
    input,
  });
  return { status, stdout, stderr: stderr.toString() };
}

const tarOf = (parent: string, entry: string) =>
  execFileSync('tar', ['-c', '--format=gnu', '-f', '-', '-C', parent, `./${entry}`]);

test("a folder with long names comes and goes by busybox's tar", () => {
  const source = join(folder, 'source');
  const name = 'n'.repeat(255);
  mkdirSync(source);
  writeFileSync(join(source, name), 'long');
  symlinkSync('/nowhere', join(source, 'dangling'));
  const packed = onNode(PACK, ['~/source', 'content']);
  assert.deepEqual([packed.status, packed.stderr], [0, '']);
  const unpacked = onNode(UNPACK, ['~/copy', 'folder', 'source'], tarOf(source, ''));
  assert.deepEqual([unpacked.status, unpacked.stdout.toString(), unpacked.stderr], [0, 'other\n', '']);
  assert.equal(readFileSync(join(folder, 'copy', name), 'utf8'), 'long');
  assert.ok(lstatSync(join(folder, 'copy/dangling')).isSymbolicLink());
  const listed = execFileSync('tar', ['-t'], { input: packed.stdout, encoding: 'utf8' });
  assert.deepEqual(listed.split('\n').filter(Boolean).sort(), ['./', './dangling', `./${name}`]);
});

test('a file that breaks off half-way leaves the old one, and nothing beside it', () => {
  const place = join(folder, 'place');
  mkdirSync(place);
  writeFileSync(join(place, 'data'), 'old');
  writeFileSync(join(folder, 'data'), 'x'.repeat(100_000));
  const half = tarOf(folder, 'data').subarray(0, 50_000);
  const { status } = onNode(UNPACK, [place, 'file', 'data'], half);
  assert.notEqual(status, 0);
  assert.deepEqual(readdirSync(place), ['data']);
  assert.equal(readFileSync(join(place, 'data'), 'utf8'), 'old');
  assert.equal(onNode(UNPACK, [place, 'file', 'data'], tarOf(folder, 'data')).status, 0);
  assert.equal(readFileSync(join(place, 'data'), 'utf8').length, 100_000);
  assert.deepEqual(readdirSync(place), ['data']);
});

test('what is there is told, links as links', () => {
  symlinkSync(folder, join(folder, 'link'));
  const kind = (path: string) => onNode(KIND, [path]).stdout.toString().trim();
  assert.deepEqual(
    [kind('~'), kind('~/link'), kind('~/link/'), kind('~/nothing'), kind('-dash')],
    ['folder', 'file', 'folder', 'none', 'none'],
  );
});

test('a node without tar says so', () => {
  const options = { env: { PATH: '/nowhere' }, encoding: 'utf8' as const };
  const unpack = spawnSync('/bin/dash', ['-c', UNPACK, 'walt-cp', folder, 'content', ''], options);
  assert.equal(unpack.stdout, 'no-tar\n');
  assert.equal(spawnSync('/bin/dash', ['-c', PACK, 'walt-cp', folder, 'content'], options).status, 127);
});
