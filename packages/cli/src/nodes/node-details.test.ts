import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeDetails } from '@walt/contract';
import { renderNodeDetails } from './node-details.ts';

const NOW = 1_800_000_000;
const DIGEST = `sha256:${'a'.repeat(64)}`;
const node: NodeDetails = {
  ...{ name: 'lab', mac: '52:54:00:00:00:01', ip: '10.73.0.2', type: 'virtual', model: 'pc-x86-64' },
  ...{ architecture: 'amd64', image: 'alice/exp', owner: 'alice', state: 'booting', running: null },
  ...{ current: true, bootPlan: 'volumes', since: NOW - 40, cpuCores: 2, ramMiB: 1024, room: null },
  boot: { step: 'kernel', since: NOW - 12, attempt: 3, final: false },
  power: { kind: 'virtual machine', source: null, state: 'on' },
  ...{ trouble: null, notes: [], created: NOW - 90, digest: DIGEST, served: null, bootOwner: null },
  ...{ settings: [], disks: [], guests: { users: [], groups: [] } },
  ...{ bootMode: null, hybridDisk: null, host: null, volumesFrom: null },
};

const rows: [title: string, node: Partial<NodeDetails>, line: RegExp][] = [
  ['the step of its boot, since when, and which attempt that is', {}, /^boot +kernel, 12 s ago, attempt 3$/m],
  [
    'a boot of which nothing was heard yet',
    { boot: { step: null, since: NOW - 5, attempt: 1, final: false } },
    /^boot +ordered, 5 s ago$/m,
  ],
  ['whose boot still runs there', { bootOwner: 'bob' }, /; bob's boot still runs there$/m],
  [
    'whom its owner lets use it',
    { guests: { users: ['alice', 'bob'], groups: ['students', 'the\u001b[2Jdean'] } },
    /^used by +alice, bob, group students, group the\\x1b\[2Jdean and all administrators$/m,
  ],
  ['that its image is gone', { digest: null }, /^next boot +nothing: its image is gone, or cannot boot$/m],
  [
    'what is left for changes of its root',
    {
      room: {
        memory: { total: 1e9, free: 5e8 },
        swap: { total: 0, free: 0 },
        killed: 0,
        changes: { total: 4e8, free: 1e8 },
      },
    },
    /^for changes +100 MB of 400 MB left$/m,
  ],
  [
    'how it has booted, and what its disk holds',
    { bootMode: 'hybrid-volatile', hybridDisk: 'copying' },
    /^boot mode +hybrid-volatile\nhybrid disk +copying: the image is on its way to it$/m,
  ],
  ['the host that it runs on', { host: 'h1' }, /^runs on +h1$/m],
  ['the host that serves its volumes', { volumesFrom: 'h2' }, /^volumes from +h2$/m],
  ['names that steer no terminal', { model: 'x\u001b[2J' }, /a virtual x\\x1b\[2J/],
  [
    'no more of what a machine printed than can be seen',
    { trouble: { message: 'lab has not come up.', hint: 'Look.', console: ['\u001b]0;x\u0007panic'] } },
    /^ {2}\| \\x1b\]0;x\\x07panic$/m,
  ],
];
for (const [title, other, line] of rows) {
  test(`a node told whole: ${title}`, () => {
    assert.match(
      renderNodeDetails([{ ...node, ...other }], NOW, (text) => text),
      line,
    );
  });
}
