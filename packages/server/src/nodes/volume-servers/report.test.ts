import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReport, renderOrders } from './report.ts';

test('a report tells copies, those first that came first, and room', () => {
  const report = parseReport(
    'unchecked b.erofs\nhave a.erofs\nroom 12345\nfailed a.erofs did not come: curl: (7)\n',
  );
  assert.deepEqual([...report.there], ['b.erofs', 'a.erofs']);
  assert.deepEqual([...report.have, ...report.unchecked], ['a.erofs', 'b.erofs']);
  assert.equal(report.room, 12_345);
  assert.equal(report.failed, 'a.erofs did not come: curl: (7)');
});

test('what makes no sense says nothing', () => {
  const report = parseReport(
    'have ../../etc/passwd\nhave\nroom -1\nroom many\nhave A.erofs\n\0\nfetch a.erofs',
  );
  assert.deepEqual(report, {
    ...{ have: new Set(), unchecked: new Set(), there: new Set(), room: 0, failed: undefined },
  });
});

test('orders are lines', () => {
  const facts = { name: 'a.erofs', size: 5, sha256: 'f'.repeat(64) };
  assert.equal(
    renderOrders(facts, ['b.erofs', 'c.erofs']),
    `drop b.erofs\ndrop c.erofs\nfetch a.erofs 5 ${'f'.repeat(64)}\n`,
  );
  assert.equal(renderOrders(undefined, []), '');
});
