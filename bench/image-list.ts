/**
 * `walt image show` with 1 000 images of ten layers each, nine of them shared, on a real server: only its rows are written by
 * this bench instead of by a thousand commits. The claim: 200 ms at most, from the command's start to its end, on a machine
 * where a bare `node -e 0` takes 50: four times as long as that, whatever the machine. usage: image-list.ts [--runs N] [--json]
 */
import { createHash } from 'node:crypto';
import { attempt, openDatabase } from '../packages/server/src/platform/index.ts';
import { serverTables } from '../packages/server/src/tables.ts';
import { Platform } from '../test/platform.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const IMAGES = 1000;
const LAYERS = 10;
/** 200 ms / 50 ms. */
const LIMIT = 4;

const { runs, json } = benchOptions(20);
const user = 'root';
await using platform = await Platform.start({ image: false });

progress(`${IMAGES} images of ${LAYERS} layers`);
await platform.server('stop');
await fill();
await platform.up();

const { root } = platform;
const subjects = [
  { what: 'walt image show, 1000 images', command: root.command('image', 'show') },
  { what: 'walt image show NAME', command: root.command('image', 'show', 'image500') },
  { what: 'walt image log NAME', command: root.command('image', 'log', 'image500') },
  { what: 'walt --version', command: root.command('--version') },
  { what: 'node -e 0', command: [process.execPath, '-e', '0'] },
].map((subject) => ({ ...subject, times: [] as number[] }));

progress(`${subjects.length} commands, ${runs} runs each`);
// The first round only fills caches: files, compiled code, the token.
for (let round = 0; round <= runs; round += 1) {
  for (const { command, times } of subjects) {
    const started = performance.now();
    const { status, stderr } = await attempt(command, { env: root.env });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
    if (round > 0) times.push(performance.now() - started);
  }
}

const measures = subjects.map(({ what, times }) => ({ what, unit: 'ms', ...summarize(times) }));
const [show, bare] = [measures[0], measures.at(-1)];
const claim = 'walt image show / node -e 0, medians (200 ms where a bare start takes 50)';
const value = (show?.median ?? Number.NaN) / (bare?.median ?? Number.NaN);
conclude({ bench: 'image-list', measures, bounds: [{ claim, value, limit: LIMIT }] }, json);

/** Writes what a thousand commits on one image of nine layers would have left in the database. */
async function fill(): Promise<void> {
  const database = await openDatabase(platform.paths.database, serverTables);
  const below = Array.from({ length: LAYERS - 1 }, (_, index) => digestOf(`layer ${index}`));
  await database.transaction().execute(async (t) => {
    for (let index = 0; index < IMAGES; index += 1) {
      const [digest, top, name] = [digestOf(`image ${index}`), digestOf(`top ${index}`), `image${index}`];
      const at = 1_790_000_000 + index;
      await t
        .insertInto('image_digest')
        .values({
          ...{ digest, architecture: 'amd64', created: at, size: 400_000_000, kernel: '6.12.0-amd64' },
          ...{ boot_plan: 'volumes', models: '["pc-x86-64"]', lends: '[]' },
          layers: JSON.stringify([...below, top]),
        })
        .execute();
      await t.insertInto('image').values({ owner: user, name, digest, changed: at }).execute();
      await t
        .insertInto('image_history')
        .values({
          ...{ owner: user, name, digest, previous: null, at, user, action: 'shell', detail: '' },
          added: 1_000_000,
        })
        .execute();
      for (const diffId of index === 0 ? [...below, top] : [top]) {
        const made = { action: 'shell', user, at, detail: '' };
        await t
          .insertInto('image_layer')
          .values({ diff_id: diffId, size: 1_000_000, volume: 500_000, ...made })
          .execute();
      }
    }
  });
  await database.destroy();
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
