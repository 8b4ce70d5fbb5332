import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../programs/index.ts';
import { makeErofs } from './erofs.ts';
import { incompressibleFiles } from './incompressible.ts';

const MB = 1_000_000;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-erofs-'));
});
after(() => rm(folder, { recursive: true }));

/** What a name may hold that a pattern, or a list of patterns, gives a meaning to. */
const ODD = ['with blanks.gz', 'a+b(c)[d]*.xz', 'line\nend', 'ünïcode', '$^\\', '-x'];

test('files that compression gains nothing on are found among many; a folder that is not there is told', async () => {
  const tree = join(folder, 'many');
  await mkdir(tree);
  for (let at = 0; at < 40; at += 1) {
    await writeFile(join(tree, `${at}`), at % 4 === 0 ? randomBytes(MB / 5) : Buffer.alloc(MB / 5));
  }
  const wanted = Array.from({ length: 10 }, (_, at) => `${4 * at}`);
  assert.deepEqual((await incompressibleFiles(tree)).sort(), wanted.sort());
  await assert.rejects(incompressibleFiles(join(folder, 'absent')), /absent/);
});

test('they are found whatever their names, and kept as they are', async () => {
  const tree = join(folder, 'tree');
  const noText = Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]);
  await mkdir(join(tree, 'sub'), { recursive: true });
  for (const name of ODD) await writeFile(join(tree, 'sub', name), randomBytes(2 * MB));
  await writeFile(noText, Buffer.alloc(2 * MB, 'no text'));
  await writeFile(join(tree, 'smaller'), randomBytes(MB / 5));
  await writeFile(join(tree, 'small'), randomBytes(MB / 10));
  await writeFile(join(tree, 'zeros'), Buffer.alloc(20 * MB));
  await writeFile(join(tree, 'base64'), randomBytes(2 * MB).toString('base64'));
  await writeFile(join(tree, 'text'), 'the same words again and again, but for a number\n'.repeat(100_000));
  const found = (await incompressibleFiles(tree)).sort();
  assert.deepEqual(found, ['base64', 'smaller', ...ODD.map((name) => `sub/${name}`)].sort());

  const volume = join(folder, 'volume');
  await makeErofs(tree, volume, 'kept');
  const { size } = await stat(volume);
  assert.ok(size > 15 * MB && size < 18 * MB, `${size}`);
  const out = join(folder, 'out');
  await run(['fsck.erofs', `--extract=${out}`, volume]);
  const hash = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  for (const path of [...found, 'zeros', 'text', 'small']) {
    assert.equal(await hash(join(out, path)), await hash(join(tree, path)), path);
  }
});

test('equal content gives an equal volume', async () => {
  const volumes: Buffer[] = [];
  const data = randomBytes(3 * MB);
  for (const name of ['one', 'two']) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'data'), data);
    await makeErofs(join(folder, name), join(folder, `${name}.erofs`), 'root');
    volumes.push(await readFile(join(folder, `${name}.erofs`)));
  }
  assert.ok(volumes[0]?.equals(volumes[1] ?? Buffer.alloc(0)));
});
