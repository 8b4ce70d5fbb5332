import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { failure, openApi } from '../../../test/api.ts';
import { startRegistry } from '../../../test/registry.ts';
import { chooseRegistry, nameOf, publicName } from './registry-calls.ts';

const folder = await mkdtemp(join(tmpdir(), 'walt-registry-calls-'));
const lab = await startRegistry(folder);
after(async () => {
  await lab[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
const { server, client } = await openApi({
  registries: [
    { label: 'lab', host: lab.host, ca: lab.ca },
    // Nobody listens on port 9.
    { label: 'down', host: 'localhost:9' },
  ],
});

const HEX = 'ab'.repeat(32);

describe('names', () => {
  const place = { kind: 'registry', label: 'lab' } as const;
  test('a clone is called like the last part of its link', () => {
    assert.equal(nameOf({ ...place, repository: 'library/debian' }), 'debian');
    assert.equal(nameOf({ ...place, repository: 'debian', tag: 'latest' }), 'debian');
    assert.equal(nameOf({ ...place, repository: 'a/b/debian', tag: '12' }), 'debian:12');
    assert.equal(nameOf({ ...place, repository: 'debian', digest: `sha256:${HEX}` }), 'debian');
    assert.throws(() => nameOf({ ...place, repository: 'a/default' }), { code: 'INVALID' });
    assert.throws(() => nameOf({ ...place, repository: 'a', tag: 'x'.repeat(100) }), { code: 'INVALID' });
  });

  test('what is published is called like its owner and itself', () => {
    assert.equal(publicName('exp:V1', 'Ann', 'lab'), 'ann/exp:V1');
    assert.throws(() => publicName('exp', '_ann', 'lab'), { code: 'INVALID', hint: /--name/ });
    assert.throws(() => publicName('exp', null, 'hub'), { code: 'FORBIDDEN', hint: /registry login hub/ });
  });
});

describe('the registry to publish to', () => {
  const registry = (label: string, username: string | null = null) => ({
    ...{ label, username, kind: 'docker-registry-v2' as const },
  });
  const [hub, lab, own] = [registry('hub'), registry('lab', 'ann'), registry('own', 'bob')];
  const cases: [
    what: string,
    registries: (typeof hub)[],
    label: string | undefined,
    chosen: string | RegExp,
  ][] = [
    ['the one that is named', [hub, lab], 'hub', 'hub'],
    ['the only one', [hub], undefined, 'hub'],
    ['the only one with a login', [hub, lab], undefined, 'lab'],
    ['nobody among several with a login', [hub, lab, own], undefined, /several registries: hub, lab, own/],
    ['nobody that is unknown', [hub, lab], 'x', /no registry "x"/],
    ['nobody where there is none', [], undefined, /knows no registry/],
  ];
  for (const [what, registries, label, chosen] of cases) {
    test(`is ${what}`, () => {
      if (typeof chosen === 'string') assert.equal(chooseRegistry(registries, label).label, chosen);
      else assert.throws(() => chooseRegistry(registries, label), { message: chosen });
    });
  }
});

describe('calls', () => {
  beforeEach(async () => {
    await server.addTree('alice/exp');
    await server.platform.images.registries.logout('alice', 'lab');
  });

  async function last<T>(events: Promise<AsyncIterable<T>>): Promise<T | undefined> {
    let event: T | undefined;
    for await (event of await events);
    return event;
  }
  const login = { registry: 'lab', username: lab.username, password: lab.password };

  test("another user's image is cloned into one's own set", async () => {
    const bob = await client('bob');
    const event = await last(bob.image.clone({ link: 'walt:alice/exp' }));
    assert.ok(event?.type === 'result');
    assert.equal(event.value.image, 'bob/exp');
    assert.equal(event.value.source, null);
    await assert.rejects(last(bob.image.clone({ link: 'walt:alice/none' })), failure('NOT_FOUND', /none/));
    await assert.rejects(
      last(bob.image.clone({ link: 'walt:alice/exp', architecture: 'arm64' })),
      failure('INVALID', /for amd64/),
    );
    await assert.rejects(last(bob.image.clone({ link: 'exp' })), failure('INVALID', /must look like/));
  });

  test('an image of a registry is published and cloned under the usual names', async () => {
    const alice = await client('alice');
    await alice.registry.login(login);
    await alice.image.rename({ image: 'exp', newName: 'debian:12' });
    const published = await last(alice.image.publish({ image: 'debian:12' }));
    assert.ok(published?.type === 'result');
    assert.equal(published.value.link, 'lab:alice/debian:12');
    assert.match(published.value.source, /^lab:alice\/debian@sha256:[0-9a-f]{64}$/);
    await server.clear();
    await server.addNode('vnode1', 'alice/debian:12', 'physical');
    const cloned = await last(alice.image.clone({ link: 'lab:alice/debian:12' }));
    assert.ok(cloned?.type === 'result');
    assert.equal(cloned.value.image, 'alice/debian:12');
    assert.equal(cloned.value.source, published.value.source);
    assert.deepEqual(cloned.value.nodes, ['vnode1']);
  });

  test('a search finds others’ images, and tells which registry did not answer', async () => {
    await server.addImage('bob/other');
    const alice = await client('alice');
    await alice.registry.login(login);
    const event = await last(alice.image.search({ keyword: 'oth' }));
    assert.ok(event?.type === 'result');
    assert.deepEqual(
      event.value.found.map(({ link }) => link),
      ['walt:bob/other'],
    );
    assert.deepEqual(
      event.value.failed.map(({ registry }) => registry),
      ['down'],
    );
  });

  test('a login is made, and a password that is refused is not repeated', async () => {
    const alice = await client('alice');
    await alice.registry.login(login);
    assert.equal((await alice.registry.list())[0]?.username, 'ann');
    const wrong = { ...login, password: 'secret'.repeat(1000) };
    await assert.rejects(alice.registry.login(wrong), (error: Error) => !error.message.includes('secret'));
    await assert.rejects(
      alice.registry.login({ ...wrong, username: '--x', password: 'y' }),
      failure('INVALID', /dash/),
    );
  });
});
