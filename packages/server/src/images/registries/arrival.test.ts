import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryFolder } from '../../../test/platform.ts';
import { type Paths, platformPaths, RoomGuard } from '../../platform/index.ts';
import { Volumes, volumeName } from '../layers/index.ts';
import { Store } from '../store/index.ts';
import { type Arriving, receiveLayers } from './arrival.ts';

let folder: string;
let paths: Paths;
let store: Store;
let volumes: Volumes;
/** That have come. */
let bytes: number;

beforeEach(async () => {
  folder = await temporaryFolder();
  paths = platformPaths({ state: folder, runtime: join(folder, 'run'), cache: join(folder, 'cache') });
  store = await Store.open(paths, (argv) => [...argv]);
  volumes = new Volumes(paths.volumes);
  bytes = 0;
  await mkdir(paths.volumes);
});
afterEach(() => rm(folder, { recursive: true }));

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const diffIds = [digest('a'), digest('b')];
const layers = [
  { digest: digest('1'), size: 600 },
  { digest: digest('2'), size: 400 },
];

type Copy = Arriving['copy'];

/** Receives both layers by `copy`, and publishes the volumes that were begun unless they are not `wanted`; answers what was reported. */
async function receive(
  copy: Copy,
  { silence, reports = [], wanted = true }: { silence?: number; reports?: string[]; wanted?: boolean } = {},
): Promise<string[]> {
  await using ahead = await receiveLayers(
    { store, volumes, room: new RoomGuard(folder) },
    {
      ...{ layers, diffIds, copy, bytes: () => bytes, signal: new AbortController().signal },
      report: (step, { done, total } = {}) => reports.push(`${step}: ${done} of ${total}`),
      ...(silence !== undefined && { silence }),
    },
  );
  for (const diffId of wanted ? diffIds : []) {
    await using draft = await ahead.take(diffId);
    await draft?.publish();
  }
  return reports;
}

/** Makes the store hold the bottom layer as a whole, and the top one half. */
async function bottomArrives(): Promise<void> {
  const id = 'e'.repeat(64);
  await mkdir(join(paths.containers, 'overlay', id, 'diff'), { recursive: true });
  await mkdir(join(paths.containers, 'overlay-layers'), { recursive: true });
  const half = { id: 'f'.repeat(64), parent: id, 'diff-digest': diffIds[1], flags: { incomplete: true } };
  const records = [{ id, 'diff-digest': diffIds[0] }, half];
  await writeFile(join(paths.containers, 'overlay-layers', 'layers.json'), JSON.stringify(records));
}

const seen = async () =>
  (await readdir(paths.volumes)).map((name) => name.replace(/\.[0-9a-f]+\.tmp$/, '.tmp'));

/** Looks until it is so: mkfs.erofs and the reports of files give no event. */
async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await pause(20);
}

test('bytes are told, then layers', async () => {
  const reports: string[] = [];
  const copy: Copy = async () => {
    await bottomArrives();
    bytes = 600;
    await until(async () => reports.includes('Fetching the image, layer 2 of 2: 600 of 1000'));
    bytes = 1000;
    await until(async () => reports.includes('Unpacking the image: 1 of 2'));
  };
  await receive(copy, { reports });
  assert.equal(reports.at(-1), 'Unpacking the image: 1 of 2');
});

test('layers that are there are not counted', async () => {
  await bottomArrives();
  const [first] = await receive(() => pause(50));
  assert.equal(first, 'Fetching the image, layer 2 of 2: 0 of 400');
});

const volume = volumeName(diffIds[0] ?? '');

/** The bottom layer arrives, and its volume is begun. */
const begun: Copy = async () => {
  await bottomArrives();
  await until(async () => (await seen()).includes(`${volume}.tmp`));
  assert.deepEqual(await seen(), [`${volume}.tmp`]);
};

test('a whole layer gets its volume while others arrive, but not before all is well', async () => {
  await receive(begun);
  assert.deepEqual(await seen(), [volume]);
});

test('a volume that was begun and is not taken goes', async () => {
  await receive(begun, { wanted: false });
  assert.deepEqual(await seen(), []);
});

test('of an image that does not come, nothing stays', async () => {
  const copy: Copy = async () => {
    await bottomArrives();
    await until(async () => (await seen()).length > 0);
    throw new Error('broken off');
  };
  await assert.rejects(receive(copy), /broken off/);
  assert.deepEqual(await seen(), []);
  assert.deepEqual(await readdir(join(paths.containers, 'tmp')), []);
});

test('a registry that falls silent is given up', async () => {
  const copy: Copy = async (_temporary, signal) => {
    const { promise, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason));
    await promise;
  };
  await assert.rejects(receive(copy, { silence: 300 }), {
    code: 'UNAVAILABLE',
    message: /sends nothing any more/,
  });
});
