/**
 * Whoever hangs up, wherever: the server is the same process afterwards, and has nothing open, mounted or running that it had not
 * before. Goes over the whole contract and all that nodes may ask for; a new call is covered by being in the contract.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { askFor } from './hang-up/asked.ts';
import { type Endpoint, endpoints } from './hang-up/endpoints.ts';
import { type Figures, figures } from './hang-up/figures.ts';
import { Random, seedOfDay } from './hang-up/random.ts';
import { MOMENTS, type Moment, visit } from './hang-up/visit.ts';
import { World } from './hang-up/world.ts';
import { until } from './until.ts';

/** Of each endpoint and moment, after a first one that warms caches and starts what is only started when it is needed. */
const ROUNDS = 2;
/** Connections at a time. */
const PARALLEL = 4;
/** Bytes by which the server may be larger afterwards: garbage that was not collected yet. */
const GROWTH = 64 * 1024 * 1024;

const random = new Random(seedOfDay());
let world: World;

before(async () => {
  world = await World.make();
});
after(() => world[Symbol.asyncDispose]());

/** Milliseconds that a round takes. */
async function round(list: readonly Endpoint[]): Promise<number> {
  const { platform, token, words } = world;
  const start = performance.now();
  const queue = list.flatMap((endpoint) => MOMENTS.map((moment): [Endpoint, Moment] => [endpoint, moment]));
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [endpoint, moment] = next;
      if (random.chance(10)) await world.restore();
      const asked = askFor(endpoint, token, words, random);
      const answer = await visit({ path: platform.paths.socket }, asked, moment, random.bytes(200));
      if (moment === 'stays') world.listen(answer);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return performance.now() - start;
}

/** What the platform has once all that is ending has ended; what is still there after a minute is there to stay. */
async function settled(like?: Figures): Promise<Figures> {
  await world.tidy();
  let last = await figures(world.platform);
  const same = async () => {
    const now = await figures(world.platform);
    const wanted = like ?? last;
    last = now;
    return now.files <= wanted.files && JSON.stringify(things(now)) === JSON.stringify(things(wanted));
  };
  await until('the platform to come to rest', same, 60_000).catch(() => {});
  return last;
}

function things({ pid, processes, mounts, containers }: Figures) {
  return { pid, processes, mounts, containers };
}

test('clients that hang up, or send junk, nothing or too much, leave nothing behind', {
  timeout: 300_000,
}, async (t) => {
  const list = endpoints();
  assert.ok(list.length > 45, `${list.length} endpoints`);
  await round(list);
  const start = await settled();
  let took = 0;
  for (let rounds = 0; rounds < ROUNDS; rounds += 1) took += await round(list);
  const end = await settled(start);
  t.diagnostic(`${list.length * MOMENTS.length * (ROUNDS + 1)} connections, ${Math.round(took / 1000)} s`);
  assert.deepEqual(things(end), things(start));
  assert.ok(end.files <= start.files + 2, `${end.files} files are open, ${start.files} were`);
  assert.ok(end.memory < start.memory + GROWTH, `${end.memory} bytes are resident, ${start.memory} were`);
  assert.deepEqual(await world.platform.mistakes(), []);
});
