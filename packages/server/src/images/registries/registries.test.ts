import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../../test/free-port.ts';
import { type LyingRegistry, startLyingRegistry } from '../../../test/lying-registry.ts';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  temporaryFolder,
} from '../../../test/platform.ts';
import {
  clone,
  configured,
  leftovers,
  registryLink,
  startRegistry,
  type TestRegistry,
} from '../../../test/registry.ts';
import { volumeName } from '../layers/index.ts';
import type { ImageRecord } from '../types.ts';

let platform: Platform;
let real: TestRegistry;
/** Images for a CPU that no node has, by plain HTTP. */
let foreign: LyingRegistry;
let tiny: ImageRecord;

before(async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'registry'));
  real = await startRegistry(join(folder, 'registry'));
  foreign = await startLyingRegistry(['x'], { architecture: 's390x', os: 'linux' });
  platform = await openPlatform(folder, {
    registries: [
      configured('lab', real.host, { ca: real.ca }),
      configured('foreign', foreign.host, { protocol: 'http' }),
      configured('distrusted', real.host.replace('localhost', '127.0.0.1')),
      configured('nobody', `127.0.0.1:${await freePort()}`),
      configured('nowhere', 'registry.invalid'),
      configured('plain', foreign.host.replace('127.0.0.1', 'localhost')),
      configured('lost-ca', 'lost.invalid', { ca: join(folder, 'missing.crt') }),
    ],
  });
  tiny = await addTiny(platform);
});
after(async () => {
  await destroyPlatform(platform);
  for (const registry of [real, foreign]) await registry[Symbol.asyncDispose]();
});

const registries = () => platform.images.registries;

function publish(image: ImageRecord, repository: string, more: { user?: string; replace?: boolean } = {}) {
  const { user = 'ann', replace = false } = more;
  const to = { label: 'lab', repository, tag: 'v1', replace };
  return result(registries().publish(user, image, to, new AbortController().signal));
}

const login = (user: string, password: string) => registries().login(user, 'lab', real.username, password);

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

  test('a clone without a name is called as its maker wished, where that can be a name', async () => {
    const call = (text: string) => {
      const target = { owner: 'bob', fallback: () => 'from-link' };
      const how = { force: false, architecture: undefined };
      return result(registries().clone('ann', registryLink(text), target, how, new AbortController().signal));
    };
    for (const [label, wish, name] of [
      ['good', 'wished-for', 'wished-for'],
      ['bad', '../etc', 'from-link'],
    ] as const) {
      const image = await addTiny(platform, label, label, [`LABEL walt.image.preferred-name=${wish}`]);
      await publish(image, `ann/${label}`);
      assert.equal((await call(`lab:ann/${label}:v1`)).image.name, name);
      await platform.images.remove('ann', image);
    }
    await assert.rejects(call('lab:ann/good:v1'), { code: 'CONFLICT', message: /bob\/wished-for/ });
  });

  test('an image for a newer server is refused before it is fetched', async () => {
    const image = await addTiny(platform, 'new', 'new', ['LABEL walt.server.minversion=9999']);
    await publish(image, 'ann/new');
    await platform.images.remove('ann', image);
    await platform.images.collect(new Set(), 0);
    await assert.rejects(clone(platform, 'lab:ann/new:v1', 'newer'), { code: 'INVALID', message: /9999/ });
    assert.equal(await platform.images.find('ann', 'newer'), undefined);
    assert.deepEqual(await leftovers(platform), []);
  });

  test('what was published comes back as the same image, with its volumes', async () => {
    const digest = await publish(tiny, 'ann/tiny');
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    await platform.images.remove('ann', tiny);
    await platform.images.collect(new Set(), 0);
    const { image, source } = await clone(platform, 'lab:ann/tiny:v1', 'back');
    assert.equal(source, `lab:ann/tiny@${digest}`);
    assert.deepEqual(image, { ...tiny, name: 'back', size: image.size });
    assert.ok((await readdir(platform.paths.volumes)).includes(volumeName(tiny.layers[0] ?? '')));
    const again = await clone(platform, source, 'by-digest');
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
    assert.deepEqual(await leftovers(platform), []);
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
    assert.equal((await clone(platform, 'lab:ann/kept:v1', 'replaced')).image.digest, other.digest);
  });

  test('the catalogue is searched, and registries that do not answer are told', async () => {
    await publish(tiny, 'ann/found');
    const { found, failed } = await result(registries().search('ann', 'foun', new AbortController().signal));
    assert.deepEqual(found, [
      {
        ...{ location: 'lab', name: 'ann/found:v1', link: 'lab:ann/found:v1' },
        ...{ architecture: null, description: '' },
      },
    ]);
    const labels = failed.map(({ registry }) => registry).sort();
    assert.deepEqual(labels, ['distrusted', 'foreign', 'lost-ca', 'nobody', 'nowhere', 'plain']);
  });

  test('who is not logged in gets nothing', async () => {
    await assert.rejects(clone(platform, 'lab:ann/tiny:v1', 'stolen', { user: 'bob' }), {
      code: 'FORBIDDEN',
      message: /not logged in/,
    });
    await assert.rejects(publish(tiny, 'bob/tiny', { user: 'bob' }), { code: 'FORBIDDEN' });
    assert.equal(await registries().logout('bob', 'lab'), undefined);
  });

  const failing: [link: string, code: string, message: RegExp][] = [
    ['distrusted:x', 'UNAVAILABLE', /signed by an authority that this server does not know/],
    ['nobody:x', 'UNAVAILABLE', /cannot reach 127\.0\.0\.1/],
    ['nowhere:x', 'UNAVAILABLE', /does not find registry\.invalid|cannot reach registry\.invalid/],
    ['plain:x', 'UNAVAILABLE', /speaks HTTP without TLS/],
    ['lost-ca:x', 'UNAVAILABLE', /cannot read .*missing\.crt/],
    ['unknown:x', 'NOT_FOUND', /knows no registry "unknown"/],
    ['lab:ann/nothing', 'NOT_FOUND', /There is no "lab:ann\/nothing:latest"/],
    [`lab:ann/tiny@sha256:${'0'.repeat(64)}`, 'NOT_FOUND', /There is no/],
    ['foreign:exp:v1', 'INVALID', /CPU architecture "s390x"/],
  ];
  for (const [text, code, message] of failing) {
    test(`${text.slice(0, 40)} fails with ${code}`, async () => {
      await assert.rejects(clone(platform, text, 'never'), { code, message });
      assert.equal(await platform.images.find('ann', 'never'), undefined);
      assert.deepEqual(await leftovers(platform), []);
    });
  }

  test('who logs out has no login any more', async () => {
    await login('eve', real.password);
    assert.equal(await registries().logout('eve', 'lab'), real.username);
    await assert.rejects(clone(platform, 'lab:ann/tiny:v1', 'stolen', { user: 'eve' }), {
      code: 'FORBIDDEN',
    });
  });
});

test("another user's image is taken at once", async () => {
  const taken = await registries().take('bob', tiny, { owner: 'bob', name: 'tiny' }, false);
  assert.equal(taken.digest, tiny.digest);
  await assert.rejects(registries().take('bob', tiny, { owner: 'bob', name: 'tiny' }, false), {
    code: 'CONFLICT',
    message: /bob\/tiny/,
  });
});

test('an image that was removed since somebody looked is not taken, published or entered', async () => {
  const image = await addTiny(platform, 'short', 'short');
  await platform.images.remove('ann', image);
  await platform.images.collect(new Set(), 0);
  const target = { owner: 'bob', name: 'short' };
  await assert.rejects(registries().take('bob', image, target, false), { code: 'NOT_FOUND' });
  assert.equal(await platform.images.find('bob', 'short'), undefined);
  await assert.rejects(publish(image, 'ann/short'), { code: 'NOT_FOUND', message: /no longer kept/ });
  // Its name may be another image's by now.
  await addTiny(platform, 'short', 'other');
  await assert.rejects(platform.images.shells.open('ann', image), { code: 'NOT_FOUND' });
});
