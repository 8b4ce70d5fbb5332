import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerStatus } from '@walt/contract';
import { renderStatus } from './server-status.ts';
import { painter } from './terminal/style.ts';

const status: ServerStatus = {
  ...{ version: '11.0.0', uptime: 3700, user: 'alice', configFile: null, stateFolder: '/var/lib/walt' },
  ...{ namespace: 'walt', network: { subnet: '10.73.0.0/16', server: '10.73.0.1' }, accelerator: 'tcg' },
  ...{ unguarded: null, memory: 90_000_000, files: { open: 30, limit: 1024 }, supervised: true },
  ...{ crashes: { count: 0, last: null }, programs: [] },
};

test('server-status tells when virtual nodes are not kept to their own name, and only then', () => {
  assert.doesNotMatch(renderStatus(status, painter(false)), /^Frames/m);
  const text = renderStatus({ ...status, unguarded: 'nft failed:\nnot found' }, painter(false));
  assert.match(
    text,
    /^Frames +virtual nodes can send them in the name of others \(nft failed:\\x0anot found\)$/m,
  );
});
