/**
 * Whoever hangs up, wherever: the server is the same process afterwards, and has nothing open, mounted or running that it had not
 * before. Goes over the whole contract and all that nodes may ask for; a new call is covered by being in the contract.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { askFor } from './hang-up/asked.ts';
import { type Endpoint, endpoints } from './hang-up/endpoints.ts';
import { type Figures, figures } from './hang-up/figures.ts';
import { MOMENTS, type Moment, visit } from './hang-up/visit.ts';
import { World } from './hang-up/world.ts';
import { Machine } from './machine.ts';
import { Random, seedOfDay } from './random.ts';
import { until } from './until.ts';

/** Of each endpoint and moment, after a first one that warms caches and starts what is only started when it is needed. */
const ROUNDS = 2;
/** Files that the server has open for a moment, whatever happens. */
const FILES = 2;
/** Connections at a time. */
const PARALLEL = 4;
/** Bytes by which the server may be larger afterwards: garbage that was not collected yet. */
const GROWTH = 64 * 1024 * 1024;

const seed = seedOfDay();
const random = new Random(seed);
let world: World;

before(async () => {
  world = await World.make();
});
after(() => world?.[Symbol.asyncDispose]());

/** Visits each endpoint once at each moment, in any order. */
async function round(list: readonly Endpoint[]): Promise<void> {
  const { platform, token, vocabulary } = world;
  const queue = random.shuffled(
    list.flatMap((endpoint) => MOMENTS.map((moment): [Endpoint, Moment] => [endpoint, moment])),
  );
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [endpoint, moment] = next;
      if (random.chance(25)) await world.restore();
      const ask = async (one: Endpoint, when: Moment) => {
        const asked = askFor(one, token, vocabulary, random);
        vocabulary.hear(await visit({ path: platform.paths.socket }, asked, when, random.bytes(200)));
      };
      if (endpoint.opener) await ask(endpoint.opener, 'stays');
      await ask(endpoint, moment);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

/** Looks in a row that find the same, until that is what the platform has at rest. */
const STEADY = 20;
/** Milliseconds; twice what a connection takes to end whose machine was removed in the middle of a boot (limits.idle-seconds). */
const REST = 120_000;

/** What the platform has once all that is ending has ended; what is still there after that time is there to stay. */
async function settled(like?: Figures): Promise<Figures> {
  let last = await figures(world.platform);
  let steady = 0;
  const same = async () => {
    await world.tidy();
    const now = await figures(world.platform);
    const wanted = like ?? last;
    last = now;
    const isSame =
      now.files <= wanted.files + FILES && JSON.stringify(things(now)) === JSON.stringify(things(wanted));
    steady = isSame ? steady + 1 : 0;
    return steady >= (like ? 1 : STEADY);
  };
  await until('the platform to come to rest', same, REST).catch(() => {});
  return last;
}

function things({ pid, processes, mounts, containers }: Figures) {
  return { pid, processes, mounts, containers };
}

/** Does something once, to warm up, then again and again, and asserts that all is then as it was before. */
async function leavesNothing(t: TestContext, act: (rounds: number) => Promise<number>): Promise<void> {
  await act(1);
  const start = await settled();
  const began = performance.now();
  const visits = await act(ROUNDS);
  t.diagnostic(`WALT_SEED=${seed}: ${visits} visits in ${Math.round((performance.now() - began) / 1000)} s`);
  const end = await settled(start);
  t.diagnostic(
    `bytes of the server: ${start.memory} before, ${end.memory} after; files: ${start.files}, ${end.files}`,
  );
  assert.deepEqual(things(end), things(start));
  assert.ok(end.files <= start.files + FILES, `${end.files} files are open, ${start.files} were`);
  assert.ok(end.memory < start.memory + GROWTH, `${end.memory} bytes are resident, ${start.memory} were`);
  assert.deepEqual(await world.platform.mistakes(), []);
}

const limit = { timeout: 1_200_000 };

test('clients that hang up, or send junk, nothing or too much, leave nothing behind', limit, async (t) => {
  const list = endpoints();
  assert.ok(list.length > 45, `${list.length} endpoints`);
  await leavesNothing(t, async (rounds) => {
    for (let done = 0; done < rounds; done += 1) await round(list);
    return rounds * list.length * MOMENTS.length;
  });
});

test('machines on walt-net that do so leave nothing behind', limit, async (t) => {
  const { platform } = world;
  const mac = '02:77:61:6c:74:01';
  const addresses = Array.from({ length: 8 }, (_, at) => `10.73.200.${2 + at}`);
  await using machine = await Machine.plug(platform, 1, { ip: '10.73.200.1', mac, addresses });
  const { server } = (await platform.status()).network;
  await leavesNothing(t, async (rounds) =>
    Number(
      await machine.program(
        'hang-up/node-side.ts',
        server,
        mac,
        `${random.below(2 ** 31)}`,
        `${rounds}`,
        ...addresses,
      ),
    ),
  );
});
