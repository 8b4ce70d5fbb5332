/** Quotas, as users meet them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import type { DiskPart } from '@walt/contract';
import { readConfig } from '../../server/src/platform/index.ts';
import { openClient } from './client.ts';

const { quotas } = readConfig(
  `quotas:
  default: { virtual-nodes: 3, memory: 4096, images: 8 }
  users: { alice: { cores: 6, persist: 30720 }, carol: { cores: 1 } }`,
  'server.conf',
);
const { server, checkout } = await openClient({ quotas });

beforeEach(async () => {
  await server.clear();
  await server.addTree('waltplatform/pc-x86-64-default');
});

const walt = (...words: string[]) => checkout.run(words);
async function ok(...words: string[]) {
  const result = await walt(...words);
  assert.equal(result.status, 0, result.stderr);
  return result;
}

describe('virtual nodes', () => {
  test('are told when they come near a quota, and refused beyond it', async () => {
    assert.equal((await ok('node', 'create', 'n1')).stderr, '');
    assert.equal((await ok('node', 'create', 'n2')).stderr, '');
    const { stderr } = await ok('node', 'create', 'n3');
    assert.match(
      stderr,
      /^You use 3 of your quota of 3 virtual nodes \(quotas\.default\)\. See: walt advanced quotas$/m,
    );
    assert.match(stderr, /^You use 6 of your quota of 6 cores of virtual nodes \(quotas\.users\.alice\)/m);
    const refused = await walt('node', 'create', 'n4');
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /^walt: The quota of alice is 3 virtual nodes \(quotas\.default in server\.conf\): 3 are in use \(n1, n2, n3\), and this needs 1 more\.\n {2}→ Remove a node /,
    );
    await ok('node', 'remove', 'n2', '--yes');
    await ok('node', 'create', 'n4', '--json');
  });

  test('of two at a time, one gets the last', async () => {
    await ok('node', 'create', 'n1');
    await ok('node', 'create', 'n2');
    const both = await Promise.all([walt('node', 'create', 'n3'), walt('node', 'create', 'n4')]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [0, 1]);
  });

  test('get no more memory and cores than their owner may have', async () => {
    await ok('node', 'create', 'n1');
    await ok('node', 'create', 'n2');
    const more = await walt('node', 'config', 'n1', 'ram=3500M');
    assert.match(
      more.stderr,
      /quota of alice is 4096 MiB of memory of virtual nodes .*: 2048 MiB is in use \(n1, n2\), and this needs 2476 MiB more/,
    );
    // All of a set, or none.
    const both = await walt('node', 'config', 'n1,n2', 'cpu.cores=4');
    assert.match(both.stderr, /quota of alice is 6 cores .*: 4 are in use \(n1, n2\), and this needs 4 more/);
    const { stderr } = await ok('node', 'config', 'n1', 'cpu.cores=4');
    assert.match(stderr, /^You use 6 of your quota of 6 cores/);
    await ok('node', 'config', 'n1', 'cpu.cores=1');
  });

  test('that are given back count for who made them, until somebody takes them', async () => {
    for (const name of ['n1', 'n2', 'n3']) await ok('node', 'create', name);
    await ok('node', 'release', 'n1');
    assert.match((await walt('node', 'create', 'n4')).stderr, /3 are in use/);
    await ok('node', 'acquire', 'n1');
    // One that was nobody's.
    await server.addNode('free1', 'waltplatform/pc-x86-64-default');
    const { stderr } = await walt('node', 'acquire', 'free1');
    assert.match(stderr, /quota of alice is 3 virtual nodes/);
    assert.match((await walt('node', 'boot', 'free1', 'pc-x86-64-default')).stderr, /quota of alice is 3/);
  });

  test('each with a /persist that may grow; others have none', async () => {
    await server.addNode('board1', 'waltplatform/pc-x86-64-default', 'physical');
    for (const name of ['n1', 'n2', 'n3']) await ok('node', 'create', name);
    const refused = await walt('node', 'acquire', 'board1');
    assert.match(
      refused.stderr,
      /quota of alice is 30720 MiB of \/persist space .*: 30720 MiB is in use \(n1, n2, n3\), and this needs 10240 MiB more/,
    );
    await ok('node', 'config', 'n3', 'mount.persist=false');
    await ok('node', 'acquire', 'board1');
    assert.match(
      (await walt('node', 'config', 'n3', 'mount.persist=true')).stderr,
      /quota of alice is 30720 MiB/,
    );
  });
});

describe('images', () => {
  test('take no more than their owner may have, and copies of the default image take nothing', async () => {
    const file = join(checkout.home, 'large');
    writeFileSync(file, Buffer.alloc(3 * 1024 * 1024, 'x'));
    await ok('image', 'clone', 'walt:waltplatform/pc-x86-64-default', 'work');
    await ok('image', 'cp', file, 'work:/a');
    const { stderr } = await ok('image', 'cp', file, 'work:/b');
    assert.doesNotMatch(stderr, /image space/);
    const refused = await walt('image', 'cp', file, 'work:/c');
    assert.match(
      refused.stderr,
      /The quota of alice is 8 MiB of image space \(quotas\.default in server\.conf\): \d+ MiB is in use \(.*work.*\), and this needs \d+ MiB more\.\n {2}→ Remove an image /,
    );
    assert.equal((await walt('image', 'cp', 'work:/c', checkout.home)).status, 1, 'it is not there');
  });
});

describe('walt advanced disk-usage', () => {
  test('tells what takes the disk, by user, image and node', async () => {
    const file = join(checkout.home, 'much');
    writeFileSync(file, Buffer.alloc(3 * 1024 * 1024, 'x'));
    await ok('image', 'clone', 'walt:waltplatform/pc-x86-64-default', 'work');
    await ok('image', 'cp', file, 'work:/a');
    await server.addTree('bob/hidden', { secret: 'x'.repeat(500_000) });
    await server.addTree('bob/seen', { known: 'y'.repeat(500_000) });
    await server.platform.images.sharing.set({ owner: 'bob', name: 'hidden' }, []);
    const { stdout } = await ok('advanced', 'disk-usage');
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/).join(' | '));
    assert.equal(rows[0], 'USER | WHAT | SIZE');
    assert.ok(
      rows.some((row) => /^alice \| 3\.\d MB$/.test(row)),
      stdout,
    );
    assert.ok(
      rows.some((row) => /^image work \| 3\.\d MB$/.test(row)),
      stdout,
    );
    assert.ok(
      rows.some((row) => /^image seen \| \d+ kB$/.test(row)),
      stdout,
    );
    assert.ok(
      rows.some((row) => /^default images \| /.test(row)),
      stdout,
    );
    assert.ok(
      rows.some((row) => /^all else on this disk \| /.test(row)),
      stdout,
    );
    assert.match(
      stdout,
      /: \S+ [MG]B of \S+ [GT]B are left for users, and \S+ MB for the platform itself\.\n$/,
    );
    const { parts } = JSON.parse((await ok('advanced', 'disk-usage', '--json')).stdout);
    const own = (part: DiskPart) => part.user === 'alice' && part.kind === 'image';
    assert.equal(parts.find(own).name, 'work');
    const carol = { uid: 1001, user: 'carol', role: 'member' as const };
    const seen = await server.services.calls.server.diskUsage(carol, undefined, AbortSignal.timeout(60_000));
    const ofBob = seen.parts.filter(({ user }) => user === 'bob');
    assert.deepEqual(ofBob.map(({ kind, name }) => `${kind} ${name}`).sort(), [
      'hidden-images null',
      'image seen',
    ]);
  });
});

describe('walt advanced quotas', () => {
  test('tells what one has, and may have', async () => {
    await ok('node', 'create', 'n1');
    const { stdout } = await ok('advanced', 'quotas');
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.trim().split(/ {2,}/).join(' | ')),
      [
        'OF | USED | QUOTA | SET BY | LARGEST',
        'virtual nodes | 1 | 3 | quotas.default | n1',
        'cores of virtual nodes | 2 | 6 | quotas.users.alice | n1',
        'memory of virtual nodes | 1024 MiB | 4096 MiB | quotas.default | n1',
        'image space | 0 MiB | 8 MiB | quotas.default',
        '/persist space | 10240 MiB | 30720 MiB | quotas.users.alice | n1',
      ],
    );
    const [own] = JSON.parse((await ok('advanced', 'quotas', '--json')).stdout);
    assert.deepEqual(
      [own.user, own.known, own.quotas[1]],
      [
        ...['alice', true],
        { name: 'cores', used: 2, by: [{ name: 'n1', amount: 2 }], most: 6, from: 'quotas.users.alice' },
      ],
    );
  });

  test('--all tells it of everybody who has something, or a quota of his own', async () => {
    await server.addImage('bob/x');
    await server.addNode('bobs', 'bob/x');
    const { stdout } = await ok('advanced', 'quotas', '--all');
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4).join(' '));
    assert.ok(rows.includes('bob virtual nodes 1 3'), stdout);
    assert.ok(rows.includes('carol cores of virtual nodes 0 1'), stdout);
    assert.doesNotMatch(stdout, /waltplatform/);
  });
});
