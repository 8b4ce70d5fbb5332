/** With the real tar(1), on folders as users have them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readIgnoreRules } from './ignore.ts';
import { packContext, type Skipped } from './pack-context.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-pack-'));
});
// Node cannot remove what lies deeper than a path may be.
afterEach(() => void execFileSync('rm', ['-rf', '--', folder]));

async function packed(rules = ''): Promise<{ names: string[]; skipped: Skipped[]; tar: Buffer }> {
  const skipped: Skipped[] = [];
  const chunks = await Array.fromAsync(
    packContext(folder, readIgnoreRules(rules), (one) => skipped.push(one)),
  );
  const tar = Buffer.concat(chunks);
  const names = execFileSync('tar', ['-t', '--quoting-style=literal'], {
    input: tar,
    maxBuffer: 2 ** 26,
  }).toString('latin1');
  return { names: names.split('\n').filter(Boolean), skipped, tar };
}

test('what is left out, in folders that are, and in those that hold something wanted', async () => {
  await mkdir(join(folder, 'out/in'), { recursive: true });
  for (const name of ['a', 'b', 'out/c', 'out/in/d']) await writeFile(join(folder, name), name);
  const { names } = await packed('b\nout\n!out/in');
  assert.deepEqual(names, ['./a', './out/in/', './out/in/d']);
});

test('names that are no UTF-8', async () => {
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0xfc)]), 'x');
  const { names } = await packed();
  assert.deepEqual(names, ['./\xff\xfc']);
});

test('what no archive holds is told, and nothing else fails', async () => {
  await writeFile(join(folder, 'a'), 'a');
  await writeFile(join(folder, '.wh.x'), '');
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const server = createServer().listen(join(folder, 'socket'));
  const { names, skipped } = await packed();
  server.close();
  assert.deepEqual(names, ['./a']);
  assert.deepEqual(skipped, [
    { path: '.wh.x', what: 'a name that means a deletion in images' },
    { path: 'pipe', what: 'a named pipe' },
    { path: 'socket', what: 'a socket' },
  ]);
  execFileSync('mkfifo', [join(folder, 'ignored')]);
  assert.equal((await packed('ignored\npipe\n.wh.*')).skipped.length, 0);
});

test('a folder that is deeper than a path may be is named, unless it is left out', async () => {
  const script =
    'cd "$1" && mkdir deep && cd deep && for i in $(seq 25); do mkdir "$2" && cd -P "$2" || exit; done';
  execFileSync('bash', ['-c', script, 'bash', folder, 'x'.repeat(200)]);
  await assert.rejects(packed(), {
    code: 'INVALID',
    message: /^deep\/x+… in .* lies too deep: its path has more than 3840 bytes/,
  });
  assert.deepEqual((await packed('deep')).names, []);
});

test('attributes and capabilities are in the archive', async () => {
  await writeFile(join(folder, 'f'), 'x');
  execFileSync('setfattr', ['-n', 'user.lab', '-v', 'kept', join(folder, 'f')]);
  const { tar } = await packed();
  assert.match(tar.toString('latin1'), /SCHILY\.xattr\.user\.lab=kept\n/);
});

test('thousands of folders in each other take no stack', async () => {
  await mkdir(join(folder, ...Array.from({ length: 1900 }, () => 'd')), { recursive: true });
  assert.equal((await packed()).names.length, 1900);
});
