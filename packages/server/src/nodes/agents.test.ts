import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Agents } from './agents.ts';

/** How often a change was told, so far. */
function counted(agents: Agents): () => number {
  let told = 0;
  agents.on('change', () => {
    told += 1;
  });
  return () => told;
}

describe('agents', () => {
  it('tell that one comes, and not that it asks again', async () => {
    const agents = new Agents();
    const told = counted(agents);
    const first = agents.poll(1, new AbortController().signal);
    assert.equal(told(), 1);
    const second = agents.poll(1, new AbortController().signal);
    assert.equal(await first, 'stay');
    assert.equal(agents.orderReboot(1), true);
    assert.equal(await second, 'reboot');
    agents.poll(1, new AbortController().signal);
    assert.equal(told(), 1);
    agents.close();
  });

  it('tell that one goes, and that it is back, however soon', async () => {
    const agents = new Agents();
    const told = counted(agents);
    for (const round of [1, 2, 3]) {
      const hangUp = new AbortController();
      const question = agents.poll(1, hangUp.signal);
      assert.equal(told(), 2 * round - 1, 'it is there');
      hangUp.abort();
      assert.equal(await question, 'stay');
      assert.equal(told(), 2 * round, 'it is gone');
      assert.equal(agents.isConnected(1), false);
    }
  });

  it('keep nobody whose question ended before it was heard', async () => {
    const agents = new Agents();
    assert.equal(await agents.poll(1, AbortSignal.abort()), 'stay');
    assert.equal(agents.isConnected(1), false);
  });

  it('are answered at whole seconds, those that asked within one too', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_790_000_000_300 });
    const agents = new Agents();
    let answered = 0;
    for (const id of [1, 2, 3]) {
      agents.poll(id, new AbortController().signal).then(() => {
        answered += 1;
      });
      t.mock.timers.tick(137);
    }
    const pass = async (milliseconds: number) => {
      const before = answered;
      t.mock.timers.tick(milliseconds);
      await turn();
      return answered - before;
    };
    while (answered < 3) {
      assert.equal(await pass(999 - (Date.now() % 1000)), 0, 'within a second');
      await pass(1);
    }
    const held = Date.now() - 1_790_000_000_300;
    assert.ok(held >= 40_000 && held <= 50_000, `${held}`);
  });
});
