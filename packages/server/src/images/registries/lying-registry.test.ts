import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Progress } from '@walt/contract';
import {
  digestOf,
  type LayerEntry,
  type LyingRegistry,
  startLyingRegistry,
  tarOf,
} from '../../../test/lying-registry.ts';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  temporaryFolder,
} from '../../../test/platform.ts';
import { clone, configured, leftovers, startClone } from '../../../test/registry.ts';
import { isUserError, run } from '../../platform/index.ts';
import { volumeName } from '../layers/index.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

let platform: Platform;
let liar: LyingRegistry;
let tiny: ImageRecord;

before(async () => {
  const text = () => randomBytes(60_000).toString('hex');
  liar = await startLyingRegistry([text(), text()]);
  platform = await newPlatform();
  tiny = await addTiny(platform);
});
after(async () => {
  await destroyPlatform(platform);
  await liar[Symbol.asyncDispose]();
});
beforeEach(() => {
  liar.lie = undefined;
  liar.asked.length = 0;
});

async function newPlatform(): Promise<Platform> {
  const registries = [configured('liar', liar.host, { protocol: 'http' })];
  return openPlatform(await temporaryFolder(), { registries });
}

const top = () => liar.layers[1]?.blob ?? '';
const isTop = (path: string) => path.endsWith(top());
const blobOf = (blobs: ReadonlyMap<string, Buffer>) => blobs.get(top()) ?? Buffer.alloc(0);
const layersAsked = () => liar.asked.filter((blob) => liar.layers.some((layer) => layer.blob === blob));

test('a name that exists is replaced only with force, and only if nobody changed it meanwhile', async () => {
  const old = await platform.images.duplicate('ann', tiny, { owner: 'ann', name: 'mine' }, false);
  await assert.rejects(clone(platform, 'liar:exp:v1', 'mine'), { code: 'CONFLICT' });
  assert.equal(liar.asked.length, 0);
  const moved = startClone(platform, 'liar:exp:v1', 'mine', { force: true });
  const other = await addTiny(platform, 'other', 'another');
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
  const { image } = await clone(platform, 'liar:exp:v1', 'mine', { force: true });
  assert.equal(image.digest, liar.image);
  assert.deepEqual(layersAsked(), []);
  await platform.images.remove('ann', image);
  await platform.images.collect(new Set(), 0);
});

describe('an image with the configuration of another one and other layers', () => {
  const tree = (text: string) => tarOf([{ name: 'etc/greeting', text }]);

  test('is refused by its name, leaves nothing, and does not stand for the genuine one', async () => {
    const [good, evil] = await Promise.all([tree('genuine\n'), tree('planted\n')]);
    const configuration = liar.add('good', { tars: [good] });
    const stolen = liar.add('evil', { tars: [evil], diffIds: [digestOf(good)] });
    assert.equal(stolen, configuration);
    await assert.rejects(clone(platform, 'liar:exp:evil', 'evil'), {
      ...{ code: 'INVALID', message: /^liar:exp:evil is not what it says.*another layer 1/ },
    });
    assert.equal(await platform.images.find('ann', 'evil'), undefined);
    await assertNothingOf(configuration, [good, evil]);
    const { image } = await clone(platform, 'liar:exp:good', 'good');
    assert.equal(image.digest, configuration);
    assert.deepEqual(image.layers, [digestOf(good)]);
    assert.equal(await textIn(image, 'etc/greeting'), 'genuine\n');
    // What is there already is not fetched, and is what the configuration says.
    const again = await clone(platform, 'liar:exp:evil', 'evil');
    assert.equal(await textIn(again.image, 'etc/greeting'), 'genuine\n');
  });

  test('is refused with layers that the store has, in another order, and with one too many', async () => {
    const [a, b, c] = await Promise.all([tree('a'), tree('b'), tree('c')]);
    liar.add('honest', { tars: [a, b, c] });
    await clone(platform, 'liar:exp:honest', 'honest');
    liar.add('turned', { tars: [b, a], diffIds: [a, b].map(digestOf) });
    await assert.rejects(clone(platform, 'liar:exp:turned', 'turned'), { code: 'INVALID' });
    liar.add('more', { tars: [a, b, c], diffIds: [a, b].map(digestOf) });
    await assert.rejects(clone(platform, 'liar:exp:more', 'more'), { message: /3 layers and tells of 2/ });
    assert.equal(await platform.images.find('ann', 'turned'), undefined);
  });
});

test('an image need not say when it was made', async () => {
  const tar = await tarOf([{ name: 'etc/x', text: 'x' }]);
  for (const [tag, created] of [
    ['never', undefined],
    ['null', null],
    ['early', '0001-01-01T00:00:00Z'],
  ] as const) {
    liar.add(tag, { tars: [tar], configuration: { created } });
    const { image } = await clone(platform, `liar:exp:${tag}`, tag);
    assert.equal(image.created, 0);
    const copied = await platform.images.writeFiles('ann', image, '/', await aTar());
    assert.equal(copied.layers.length, 2);
  }
  liar.add('bad', { tars: [tar], configuration: { created: 'yesterday' } });
  await assert.rejects(clone(platform, 'liar:exp:bad', 'bad'), { code: 'INVALID' });
});

async function aTar(): Promise<Readable> {
  return Readable.from([await tarOf([{ name: 'new', text: 'x' }])]);
}

async function assertNothingOf(digest: string, tars: readonly Buffer[]): Promise<void> {
  const store = await Store.open(platform.paths, (argv) => [...argv]);
  assert.ok(!(await store.images()).includes(digest));
  const present = await store.layers();
  const volumes = await readdir(platform.paths.volumes);
  for (const diffId of tars.map(digestOf)) {
    assert.ok(!present.has(diffId));
    assert.ok(!volumes.includes(volumeName(diffId)));
  }
  assert.deepEqual(await leftovers(platform), []);
}

/** What a node reads: the file in the topmost volume. */
async function textIn({ layers }: ImageRecord, path: string): Promise<string> {
  const volume = join(platform.paths.volumes, volumeName(layers.at(-1) ?? ''));
  const folder = await temporaryFolder();
  try {
    await run(['fsck.erofs', `--extract=${folder}/tree`, volume]);
    return await readFile(join(folder, 'tree', path), 'utf8');
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('a registry that lies', () => {
  const lies: [what: string, lie: LyingRegistry['lie'], code: string, message: RegExp][] = [
    [
      'sends another layer than it promised',
      (path, response, blobs) => {
        const other = Buffer.alloc(blobOf(blobs).length);
        blobs.get(liar.layers[0]?.blob ?? '')?.copy(other);
        return isTop(path) && send(response, other);
      },
      'EXTERNAL',
      /not what its digest says/,
    ],
    [
      'sends a layer without end',
      (path, response, blobs) => {
        if (!isTop(path)) return false;
        const more = () => {
          while (!response.destroyed && response.write(blobOf(blobs)));
        };
        response.writeHead(200).on('drain', more);
        more();
        return true;
      },
      'EXTERNAL',
      /sends more for .* than it may/,
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
      await assert.rejects(clone(platform, `liar:exp@${liar.manifest}`, name, { force: true }), {
        code,
        message,
      });
      assert.deepEqual(await platform.images.get('ann', name), old);
      assert.deepEqual(await leftovers(platform), []);
    });
  }

  test('what arrived before it broke off is not fetched again', async () => {
    const { image } = await clone(platform, 'liar:exp:v1', 'resumed');
    assert.equal(image.digest, liar.image);
    // The bottom layer came with the attempts above.
    assert.deepEqual(
      liar.layers.map(({ blob }) => liar.asked.includes(blob)),
      [false, true],
    );
    const present = await readdir(platform.paths.volumes);
    assert.ok(image.layers.every((layer) => present.includes(volumeName(layer))));
  });

  test('of an index, the image for the CPU that is wanted is taken', async () => {
    const { image, source } = await clone(platform, 'liar:exp:many', 'chosen', { architecture: 'amd64' });
    assert.equal(image.digest, liar.image);
    assert.equal(source, `liar:exp@${liar.manifest}`);
    await assert.rejects(clone(platform, 'liar:exp:many', 'other-cpu', { architecture: 'i386' }), {
      ...{ code: 'INVALID', hint: /for arm64, amd64: pass --arch/ },
    });
    await assert.rejects(clone(platform, 'liar:exp:v1', 'other-cpu', { architecture: 'arm64' }), {
      message: /is an image for amd64, not for arm64/,
    });
  });

  test('two who want the same image fetch it once, and see bytes', async () => {
    const fresh = await newPlatform();
    const watched = async (name: string) => {
      const call = startClone(fresh, 'liar:exp:v1', name);
      const events: Progress[] = [];
      for (;;) {
        const next = await call.next();
        if (next.done) return { digest: next.value.image.digest, events };
        events.push(next.value);
      }
    };
    try {
      const both = await Promise.all([watched('one'), watched('two')]);
      assert.deepEqual(
        both.map(({ digest }) => digest),
        [liar.image, liar.image],
      );
      assert.equal(layersAsked().length, 2);
      // Whoever came first.
      const sees = (told: (event: Progress) => boolean) => both.map(({ events }) => events.some(told)).sort();
      assert.deepEqual(
        sees(({ step, unit }) => step.startsWith('Fetching the image') && unit === 'bytes'),
        [false, true],
      );
      assert.deepEqual(
        sees(({ step }) => step.startsWith('Waiting')),
        [false, true],
      );
    } finally {
      await destroyPlatform(fresh);
    }
  });

  test('who gives up stops it', async () => {
    const fresh = await newPlatform();
    const given = new AbortController();
    // Never answers.
    liar.lie = (path) => {
      if (!isTop(path)) return false;
      given.abort(new Error('client is gone'));
      return true;
    };
    try {
      const cloning = clone(fresh, 'liar:exp:v1', 'one', { signal: given.signal });
      await assert.rejects(cloning, /client is gone/);
      assert.deepEqual(await readdir(join(fresh.paths.containers, 'tmp')), []);
    } finally {
      await destroyPlatform(fresh);
    }
  });
});

function send(response: ServerResponse, data: Uint8Array = Buffer.alloc(0)): true {
  response.writeHead(200, { 'content-length': data.length }).end(data);
  return true;
}

describe('an image that cannot be', () => {
  const file = (name: string, more: Partial<LayerEntry> = {}): LayerEntry => ({ name, text: 'x', ...more });
  const capability = { pax: { 'SCHILY.xattr.security.capability': 'nonsense' } };
  const layers: [what: string, entries: LayerEntry[], message: RegExp][] = [
    [
      'has a name that no file can have',
      [file('x'.repeat(300))],
      /cannot be unpacked: .*file name too long\.$/,
    ],
    ['has a name that no volume can have', [file('y'.repeat(255))], /too long for nodes: y{80}…y{80}\.$/],
    ['has a capability that is none', [file('c', capability)], /cannot be unpacked: lsetxattr \/c: invalid/],
    ['has a file in a file', [file('a'), file('a/b')], /cannot be unpacked: open \/a\/b: not a directory/],
    [
      'has a link to what is not there',
      [{ name: 'l', type: 'link', linkname: '../../../../etc/passwd' }],
      /cannot be unpacked: no such file/,
    ],
    ['deletes what it has just made', [file('d/a'), file('d/.wh.a')], /cannot be unpacked: file exists/],
    [
      'has an escape sequence in a name',
      [file('e'), file('e/\x1b[31m')],
      /unpacked: open \/e\/[ -~]+31m: not/,
    ],
  ];
  for (const [what, entries, message] of layers) {
    test(`${what}, is refused in words`, async () => {
      liar.add('bad', { tars: [await tarOf(entries)] });
      await assert.rejects(clone(platform, 'liar:exp:bad', 'bad'), (error) => {
        assert.ok(isUserError(error), String(error));
        assert.equal(error.code, 'INVALID');
        assert.match(error.message, message);
        assert.ok(error.message.length < 300);
        return true;
      });
      assert.deepEqual(await leftovers(platform), []);
    });
  }

  const configurations: [field: string, configuration: Record<string, unknown>][] = [
    ['config.Env', { config: { Env: 'x' } }],
    ['config.Cmd', { config: { Cmd: 17 } }],
    ['config.User', { config: { User: 7 } }],
    ['config.Volumes', { config: { Volumes: [] } }],
    ['config.Healthcheck', { config: { Healthcheck: 'x' } }],
    ['history', { history: 'x' }],
    ['history.0.created', { history: [{ created: 'never' }] }],
  ];
  for (const [field, configuration] of configurations) {
    test(`has a wrong ${field} in its configuration, is refused before it is fetched`, async () => {
      liar.add('bad', { tars: [await tarOf([file('z')])], configuration });
      liar.asked.length = 0;
      const pattern = new RegExp(`understands \\(${field.replaceAll('.', '\\.')} in its configuration\\)`);
      await assert.rejects(clone(platform, 'liar:exp:bad', 'bad'), { code: 'INVALID', message: pattern });
      assert.equal(liar.asked.length, 1);
    });
  }
});
