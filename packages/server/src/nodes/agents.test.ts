import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
});
