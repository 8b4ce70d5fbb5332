import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../platform/index.ts';
import { Tickets } from './tickets.ts';

const gone = (error: unknown) => error instanceof UserError && error.code === 'NOT_FOUND';

test('a ticket is good once, for its user, within a minute', (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const tickets = new Tickets<string>();
  const [used, others, old] = [
    tickets.issue('ann', 'a'),
    tickets.issue('ann', 'b'),
    tickets.issue('ann', 'c'),
  ];
  assert.equal(tickets.take('ann', used), 'a');
  assert.throws(() => tickets.take('ann', used), gone);
  assert.throws(() => tickets.take('bob', others), gone);
  assert.equal(tickets.take('ann', others), 'b');
  t.mock.timers.tick(60_001);
  assert.throws(() => tickets.take('ann', old), gone);
});

test('who asks for many loses his own oldest ones, and nobody else loses any', () => {
  const tickets = new Tickets<number>();
  const bobs = tickets.issue('bob', 0);
  const anns = Array.from({ length: 1000 }, (_, at) => tickets.issue('ann', at));
  assert.equal(tickets.take('bob', bobs), 0);
  const left = anns.filter((id) => {
    try {
      tickets.take('ann', id);
      return true;
    } catch {
      return false;
    }
  });
  assert.deepEqual(left, anns.slice(-16));
});
