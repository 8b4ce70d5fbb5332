import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type ImageLink, type Progress, parseImageLink, type RegistryLink } from '@walt/contract';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  temporaryFolder,
} from './images.fixture.ts';
import { type LyingRegistry, startLyingRegistry } from './lying-registry.fixture.ts';
import { freePort, startRegistry, type TestRegistry } from './registry.fixture.ts';
import type { ImageRecord } from './types.ts';
import { volumeName } from './volumes.ts';

let platform: Platform;
let real: TestRegistry;
let liar: LyingRegistry;
let foreign: LyingRegistry;
let tiny: ImageRecord;
const first = randomBytes(60_000).toString('hex');
const second = randomBytes(60_000).toString('hex');

before(async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'registry'));
  real = await startRegistry(join(folder, 'registry'));
  liar = await startLyingRegistry([first, second]);
  foreign = await startLyingRegistry(['x'], { architecture: 's390x', os: 'linux' });
  const registry = (label: string, host: string, more: object = {}) => ({
    ...{ label, host, kind: 'docker-registry-v2' as const, protocol: 'https' as const, ca: undefined },
    ...{ description: '', ...more },
  });
  platform = await openPlatform(folder, {
    registries: [
      registry('lab', real.host, { ca: real.ca }),
      registry('liar', liar.host, { protocol: 'http' }),
      registry('foreign', foreign.host, { protocol: 'http' }),
      registry('distrusted', real.host.replace('localhost', '127.0.0.1')),
      registry('nobody', `127.0.0.1:${await freePort()}`),
      registry('nowhere', 'registry.invalid'),
      registry('plain', liar.host.replace('127.0.0.1', 'localhost')),
      registry('lost-ca', 'lost.invalid', { ca: join(folder, 'missing.crt') }),
    ],
  });
  tiny = await addTiny(platform);
});
after(async () => {
  await destroyPlatform(platform);
  for (const registry of [real, liar, foreign]) await registry[Symbol.asyncDispose]();
});
beforeEach(() => {
  liar.lie = undefined;
  liar.asked.length = 0;
});

const registries = () => platform.images.registries;

function link(text: string): RegistryLink {
  const parsed: ImageLink | undefined = parseImageLink(text);
  assert.ok(parsed?.kind === 'registry', text);
  return parsed;
}

interface CloneOptions {
  user?: string;
  force?: boolean;
  architecture?: 'amd64' | 'arm64';
  signal?: AbortSignal;
}

function cloning(text: string, name: string, options: CloneOptions = {}) {
  const { user = 'ann', force = false, architecture, signal = new AbortController().signal } = options;
  return registries().clone(user, link(text), { owner: user, name }, { force, architecture }, signal);
}

const clone = async (...args: Parameters<typeof cloning>) => result(cloning(...args));

function publish(image: ImageRecord, repository: string, more: { user?: string; replace?: boolean } = {}) {
  const { user = 'ann', replace = false } = more;
  const to = { label: 'lab', repository, tag: 'v1', replace };
  return result(registries().publish(user, image, to, new AbortController().signal));
}

const login = (user: string, password: string) => registries().login(user, 'lab', real.username, password);

/** What an attempt must not leave: half images, drafts of volumes, folders of layers on their way. */
async function leftovers(): Promise<string[]> {
  const { containers, volumes } = platform.paths;
  const way = await readdir(join(containers, 'tmp'));
  const drafts = (await readdir(volumes)).filter((name) => name.endsWith('.tmp'));
  return [...way, ...drafts];
}

describe('a registry with TLS and passwords', () => {
  test('a wrong password is told and not stored, a right one is stored for its user only', async () => {
    await assert.rejects(login('ann', 'wrong'), { code: 'FORBIDDEN', message: /does not accept/ });
    const labelled = async (user: string) => (await registries().list(user))[0];
    assert.equal((await labelled('ann'))?.username, null);
    await login('ann', real.password);
    assert.equal((await labelled('ann'))?.username, real.username);
    assert.equal((await labelled('bob'))?.username, null);
    const file = join(platform.paths.logins, 'ann.json');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.ok(JSON.parse(await readFile(file, 'utf8')).auths[real.host].auth);
    await assert.rejects(login('ann', 'wrong again'), { code: 'FORBIDDEN' });
    assert.equal((await labelled('ann'))?.username, real.username);
  });

  test('what was published comes back as the same image, with its volumes', async () => {
    const digest = await publish(tiny, 'ann/tiny');
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    await platform.images.remove('ann', tiny);
    await platform.images.collect(new Set(), 0);
    const { image, source } = await clone('lab:ann/tiny:v1', 'back');
    assert.equal(source, `lab:ann/tiny@${digest}`);
    assert.deepEqual(image, { ...tiny, name: 'back', size: image.size });
    assert.ok((await readdir(platform.paths.volumes)).includes(volumeName(tiny.layers[0] ?? '')));
    const again = await clone(source, 'by-digest');
    assert.equal(again.image.digest, tiny.digest);
    tiny = await platform.images.duplicate('ann', image, { owner: 'ann', name: 'tiny' }, false);
    const history = await platform.database
      .selectFrom('image_history')
      .select(['action', 'detail'])
      .where('name', '=', 'back')
      .execute();
    assert.deepEqual(
      history.map(({ action, detail }) => [action, detail]),
      [['clone', 'lab:ann/tiny:v1']],
    );
    assert.deepEqual(await leftovers(), []);
  });

  test('a name there is not replaced unasked', async () => {
    const other = await addTiny(platform, 'other', 'another');
    await publish(tiny, 'ann/kept');
    await publish(tiny, 'ann/kept');
    await assert.rejects(publish(other, 'ann/kept'), {
      code: 'CONFIRM',
      message: /another image ann\/kept:v1/,
    });
    await publish(other, 'ann/kept', { replace: true });
    assert.equal((await clone('lab:ann/kept:v1', 'replaced')).image.digest, other.digest);
  });

  test('the catalogue is searched, and registries that do not answer are told', async () => {
    await publish(tiny, 'ann/found');
    const { found, failed } = await result(registries().search('ann', 'foun'));
    assert.deepEqual(found, [
      {
        ...{ location: 'lab', name: 'ann/found:v1', link: 'lab:ann/found:v1' },
        ...{ architecture: null, description: '' },
      },
    ]);
    const labels = failed.map(({ registry }) => registry).sort();
    assert.deepEqual(labels, ['distrusted', 'foreign', 'liar', 'lost-ca', 'nobody', 'nowhere', 'plain']);
  });

  test('who is not logged in gets nothing', async () => {
    await assert.rejects(clone('lab:ann/tiny:v1', 'stolen', { user: 'bob' }), {
      code: 'FORBIDDEN',
      message: /not logged in/,
    });
    await assert.rejects(publish(tiny, 'bob/tiny', { user: 'bob' }), { code: 'FORBIDDEN' });
    assert.equal(await registries().logout('bob', 'lab'), undefined);
  });

  const failing: [link: string, code: string, message: RegExp][] = [
    ['distrusted:x', 'UNAVAILABLE', /signed by an authority that this server does not know/],
    ['nobody:x', 'UNAVAILABLE', /cannot reach 127\.0\.0\.1/],
    ['nowhere:x', 'UNAVAILABLE', /does not find registry\.invalid/],
    ['plain:x', 'UNAVAILABLE', /speaks HTTP without TLS/],
    ['lost-ca:x', 'UNAVAILABLE', /cannot read .*missing\.crt/],
    ['unknown:x', 'NOT_FOUND', /knows no registry "unknown"/],
    ['lab:ann/nothing', 'NOT_FOUND', /There is no "lab:ann\/nothing:latest"/],
    [`lab:ann/tiny@sha256:${'0'.repeat(64)}`, 'NOT_FOUND', /There is no/],
    ['foreign:exp:v1', 'INVALID', /CPU architecture "s390x"/],
  ];
  for (const [text, code, message] of failing) {
    test(`${text.slice(0, 40)} fails with ${code}`, async () => {
      await assert.rejects(clone(text, 'never'), { code, message });
      assert.equal(await platform.images.find('ann', 'never'), undefined);
      assert.deepEqual(await leftovers(), []);
    });
  }

  test('who logs out has no login any more', async () => {
    await login('eve', real.password);
    assert.equal(await registries().logout('eve', 'lab'), real.username);
    await assert.rejects(clone('lab:ann/tiny:v1', 'stolen', { user: 'eve' }), { code: 'FORBIDDEN' });
  });
});

describe('names', () => {
  test('one that exists is replaced only with force, and only if nobody changed it meanwhile', async () => {
    const old = await platform.images.duplicate('ann', tiny, { owner: 'ann', name: 'mine' }, false);
    await assert.rejects(clone('liar:exp:v1', 'mine'), { code: 'CONFLICT' });
    assert.equal(liar.asked.length, 0);
    const moved = cloning('liar:exp:v1', 'mine', { force: true });
    const other = await platform.images.get('ann', 'other');
    liar.lie = (path) => {
      if (path.includes('/blobs/')) void platform.images.duplicate('ann', other, old, true);
      return false;
    };
    await assert.rejects(result(moved), { code: 'CONFLICT', message: /while the clone arrived/ });
    assert.equal((await platform.images.get('ann', 'mine')).digest, other.digest);

    // What arrived is still there.
    await platform.images.collect(new Set(), 0);
    liar.lie = undefined;
    liar.asked.length = 0;
    const { image } = await clone('liar:exp:v1', 'mine', { force: true });
    assert.equal(image.digest, liar.image);
    assert.equal(liar.asked.filter((blob) => liar.layers.some((layer) => layer.blob === blob)).length, 0);
    await platform.images.remove('ann', image);
    await platform.images.collect(new Set(), 0);
  });

  test("another user's image is taken at once", async () => {
    const taken = await registries().take('bob', tiny, { owner: 'bob', name: 'tiny' }, false);
    assert.equal(taken.digest, tiny.digest);
    await assert.rejects(registries().take('bob', tiny, { owner: 'bob', name: 'tiny' }, false), {
      code: 'CONFLICT',
      message: /bob\/tiny/,
    });
  });
});

describe('a registry that lies', () => {
  const top = () => liar.layers[1]?.blob ?? '';
  const blobOf = (blobs: ReadonlyMap<string, Buffer>) => blobs.get(top()) ?? Buffer.alloc(0);
  const isTop = (path: string) => path.endsWith(top());

  const lies: [what: string, lie: LyingRegistry['lie'], code: string, message: RegExp][] = [
    [
      'sends another layer than it promised',
      (path, response, blobs) => isTop(path) && send(response, blobs.get(liar.layers[0]?.blob ?? '')),
      'EXTERNAL',
      /not what its digest says/,
    ],
    [
      'sends a damaged layer',
      (path, response, blobs) => isTop(path) && send(response, Buffer.from(blobOf(blobs)).fill(1, 500, 600)),
      'EXTERNAL',
      /not what its digest says/,
    ],
    [
      'sends another configuration',
      (path, response) => path.endsWith(liar.image) && send(response, Buffer.from('{}')),
      'EXTERNAL',
      /not what its digest says/,
    ],
    [
      'sends another manifest than the digest names',
      (path, response) => path.includes('/manifests/') && send(response, Buffer.from('{"schemaVersion":2}')),
      'EXTERNAL',
      /not what its digest says/,
    ],
    [
      'breaks off in a layer',
      (path, response, blobs) => {
        if (!isTop(path)) return false;
        const data = blobOf(blobs);
        response.writeHead(200, { 'content-length': data.length });
        response.write(data.subarray(0, data.length / 2), () => response.destroy());
        return true;
      },
      'EXTERNAL',
      /broke off in the middle/,
    ],
    [
      'sends round in circles',
      (path, response) => {
        if (!isTop(path)) return false;
        response.writeHead(307, { location: path }).end();
        return true;
      },
      'EXTERNAL',
      /in circles/,
    ],
    [
      'fails',
      (path, response) => {
        if (!isTop(path)) return false;
        response.writeHead(500).end();
        return true;
      },
      'EXTERNAL',
      /failed itself/,
    ],
  ];
  for (const [what, lie, code, message] of lies) {
    test(`${what}: the old image stays, nothing half done`, async () => {
      const name = 'old';
      const old = await platform.images.duplicate('ann', tiny, { owner: 'ann', name }, true);
      liar.lie = lie;
      await assert.rejects(clone(`liar:exp@${liar.manifest}`, name, { force: true }), { code, message });
      assert.deepEqual(await platform.images.get('ann', name), old);
      assert.deepEqual(await leftovers(), []);
    });
  }

  test('what arrived before it broke off is not fetched again', async () => {
    const { image } = await clone('liar:exp:v1', 'resumed');
    assert.equal(image.digest, liar.image);
    // The bottom layer came with the attempts above.
    assert.deepEqual(
      liar.layers.map(({ blob }) => liar.asked.includes(blob)),
      [false, true],
    );
    const present = await readdir(platform.paths.volumes);
    assert.ok(image.layers.every((layer) => present.includes(volumeName(layer))));
  });

  test('two who want the same image fetch it once, and see bytes', async () => {
    await using fresh = await freshPlatform();
    const begin = (name: string) => {
      const options = { force: false, architecture: undefined };
      const target = { owner: 'ann', name };
      const until = new AbortController().signal;
      return fresh.platform.images.registries.clone('ann', link('liar:exp:v1'), target, options, until);
    };
    const events: Progress[] = [];
    const watched = async () => {
      const call = begin('one');
      for (;;) {
        const next = await call.next();
        if (next.done) return next.value;
        events.push(next.value);
      }
    };
    const [one, two] = await Promise.all([watched(), result(begin('two'))]);
    assert.equal(one.image.digest, two.image.digest);
    const layers = liar.asked.filter((blob) => liar.layers.some((layer) => layer.blob === blob));
    assert.equal(layers.length, 2);
    assert.ok(
      events.some(({ step, unit }) => step.startsWith('Fetching the image, layer') && unit === 'bytes'),
    );
  });

  test('who gives up stops it', async () => {
    await using fresh = await freshPlatform();
    const given = new AbortController();
    // Never answers.
    liar.lie = (path) => {
      if (!isTop(path)) return false;
      given.abort(new Error('client is gone'));
      return true;
    };
    const options = { force: false, architecture: undefined };
    const target = { owner: 'ann', name: 'one' };
    const call = fresh.platform.images.registries.clone(
      ...(['ann', link('liar:exp:v1'), target, options, given.signal] as const),
    );
    await assert.rejects(result(call), /client is gone/);
    assert.deepEqual(await readdir(join(fresh.platform.paths.containers, 'tmp')), []);
  });

  async function freshPlatform() {
    const fresh = await openPlatform(await temporaryFolder(), {
      registries: [...platform.deps.config.registries],
    });
    return { platform: fresh, [Symbol.asyncDispose]: () => destroyPlatform(fresh) };
  }
});

function send(response: ServerResponse, data: Uint8Array = Buffer.alloc(0)): true {
  response.writeHead(200, { 'content-length': data.length }).end(data);
  return true;
}
