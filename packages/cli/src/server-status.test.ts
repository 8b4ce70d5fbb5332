import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerStatus } from '@walt/contract';
import { renderStatus } from './server-status.ts';
import { painter } from './terminal/style.ts';

const status: ServerStatus = {
  ...{ version: '11.0.0', uptime: 3700, user: 'alice', configFile: null, stateFolder: '/var/lib/walt' },
  ...{ namespace: 'walt', network: { subnet: '10.73.0.0/16', server: '10.73.0.1' }, accelerator: 'tcg' },
  ...{
    adapters: [],
    dhcpServers: [],
    unguarded: null,
    memory: 90_000_000,
    files: { open: 30, limit: 1024 },
    supervised: true,
  },
  ...{ crashes: { count: 0, last: null }, logsOutage: null, programs: [] },
};

test('server-status tells when virtual nodes are not kept to their own name, and only then', () => {
  assert.doesNotMatch(renderStatus(status, painter(false)), /^Frames/m);
  const text = renderStatus({ ...status, unguarded: 'nft failed:\nnot found' }, painter(false));
  assert.match(
    text,
    /^Frames +virtual nodes can send them in the name of others \(nft failed:\\x0anot found\)$/m,
  );
});

test('server-status tells since when lines of logs cannot be stored, and why', () => {
  assert.doesNotMatch(renderStatus(status, painter(false)), /^Logs/m);
  const since = Date.parse('2026-11-29T06:00:00Z') / 1000;
  const told = (logsOutage: ServerStatus['logsOutage']) =>
    renderStatus({ ...status, logsOutage }, painter(false));
  assert.match(
    told({ since, reason: 'PostgreSQL at db.lab cannot be used: connect\nECONNREFUSED' }),
    /^Logs +no line is stored since \S.*: PostgreSQL at db\.lab cannot be used: connect\\x0aECONNREFUSED$/m,
  );
  assert.match(
    told({ since: null, reason: 'walt-logs does not answer' }),
    /^Logs +no line is stored: walt-logs does/m,
  );
});

test('server-status tells of each adapter since when it is so, and of DHCP servers behind them', () => {
  assert.doesNotMatch(renderStatus(status, painter(false)), /ADAPTER/);
  const since = Date.parse('2026-11-29T06:00:00Z') / 1000;
  const server = { accepted: false, lastSeen: since };
  const text = renderStatus(
    {
      ...status,
      adapters: [
        { name: 'enp3s0', state: 'joined', since, reason: null },
        { name: 'lab0.5', state: 'no-link', since, reason: null },
        { name: 'usb0', state: 'refused', since, reason: 'usb0 carries\nan address' },
      ],
      dhcpServers: [
        { ...server, address: '192.0.2.1', link: 'enp3s0' },
        { ...server, address: '192.0.2.2', link: null, accepted: true },
      ],
    },
    painter(false),
  );
  assert.match(text, /^enp3s0 +joined +\S+/m);
  assert.match(text, /^lab0\.5 +no link +\S+/m);
  assert.match(text, /^usb0 +refused +\S.* usb0 carries\\x0aan address$/m);
  assert.match(text, /^Another DHCP server answers behind enp3s0: 192\.0\.2\.1\. Switch it off/m);
  assert.match(text, /^Another DHCP server answers on walt-net: 192\.0\.2\.2 \(accepted\)$/m);
});

test('server-status tells who one is, and as what, where the server says it', () => {
  assert.match(renderStatus(status, painter(false)), /^You are +alice$/m);
  const viewer = renderStatus({ ...status, role: 'viewer' }, painter(false));
  assert.match(viewer, /^You are +alice, a viewer$/m);
});
