import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, render } from './report.ts';
import { summarize } from './statistics.ts';

test('summaries of odd and even numbers of runs', () => {
  assert.deepEqual(summarize([3, 1, 2]), { runs: 3, min: 1, median: 2, max: 3 });
  assert.deepEqual(summarize([4, 1, 2, 3]), { runs: 4, min: 1, median: 2.5, max: 4 });
  assert.throws(() => summarize([]), RangeError);
});

test('a bound holds up to its limit, or from it on', () => {
  assert.equal(holds({ claim: '', value: 1.1, limit: 1.1 }), true);
  assert.equal(holds({ claim: '', value: 1.11, limit: 1.1 }), false);
  assert.equal(holds({ claim: '', value: 1.5, limit: 1.5, atLeast: true }), true);
  assert.equal(holds({ claim: '', value: 1.4, limit: 1.5, atLeast: true }), false);
});

test('the report is a table and a line per bound', () => {
  const text = render({
    bench: 'x',
    measures: [{ what: 'boot', unit: 's', ...summarize([12.345, 10]) }],
    bounds: [{ claim: 'boot time', value: 11.17, limit: 11 }],
  });
  assert.equal(
    text,
    '       min  median     max  runs\nboot  10 s  11.2 s  12.3 s     2\n\nBROKEN  boot time: 11.2 ≤ 11\n',
  );
});
