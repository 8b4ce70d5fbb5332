import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lostNodes, type ServedNode, type ServerState, SILENCE } from './lost.ts';

const NODE: ServedNode = {
  ...{ id: 1, host: 'h1', isToBoot: false },
  served: { host: 'h2', names: ['a', 'b'] },
};
const SERVER: ServerState = { silent: 1, host: 'used', there: new Set(['a', 'b']) };

const table: [
  what: string,
  node: Partial<ServedNode>,
  server: Partial<ServerState>,
  why: RegExp | undefined,
][] = [
  ['all is well', {}, {}, undefined],
  ['it is silent for a moment', {}, { silent: SILENCE }, undefined],
  ['it is silent', {}, { silent: SILENCE + 1 }, /nothing was heard of it for 45 s/],
  ['it is silent, on the node’s own host', { host: 'h2' }, { silent: SILENCE + 1 }, /nothing was heard/],
  ['it has told nothing yet', {}, { there: undefined }, undefined],
  ['a copy is gone', {}, { there: new Set(['a']) }, /its copy of b was changed, or is gone/],
  ['its host is drained', {}, { host: 'left' }, /is to serve no volumes any more/],
  ['its host is away, and may come back', {}, { host: 'away' }, undefined],
  ['both are on a host that is away', { host: 'h2' }, { host: 'away', silent: 99 }, undefined],
  ['both are on a host that is drained', { host: 'h2' }, { host: 'left' }, undefined],
  ['it boots anyway', { isToBoot: true }, { host: 'left' }, undefined],
  ['the WalT server serves it', { served: null }, { host: 'left' }, undefined],
];
for (const [what, node, server, why] of table) {
  test(`${what}: ${why ? 'it boots anew' : 'it goes on'}`, () => {
    const [lost] = lostNodes([{ ...NODE, ...node }], new Map([['h2', { ...SERVER, ...server }]]));
    if (why) assert.match(lost?.why ?? '', why);
    else assert.equal(lost, undefined);
  });
}
