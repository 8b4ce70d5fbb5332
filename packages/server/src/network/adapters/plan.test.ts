import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Plan, plan } from './plan.ts';
import type { Taken } from './record.ts';
import type { HostLink, World } from './world.ts';

const link = (ifname: string, more: Partial<HostLink> = {}): HostLink => ({
  ...{ ifname, link_type: 'ether', altnames: [], flags: ['BROADCAST'], mtu: 1500 },
  ...{ addresses: [], routes: [], wireless: false },
  ...more,
});
const lab0 = { name: 'lab0', link: 'lab0', acceptInUse: false };
const vlan = { ...lab0, name: 'lab0.5', link: 'lab0.5', vlan: { parent: 'lab0', id: 5 } };
const taken = (name: string, more: Partial<Taken> = {}): Taken => ({
  ...{ name, link: name, up: true, mtu: 1500, promiscuous: false, addresses: [], routes: [] },
  ...more,
});
const address = { family: 'inet', local: '192.0.2.7', prefixlen: 24 };
const UP = ['UP', 'LOWER_UP'];

/** `kind link` of each step, and `name state` of each finding, with the beginning of a reason. */
function brief({ steps, findings }: Plan) {
  return [
    ...steps.map((step) => {
      if (step.kind === 'give-back') return `give-back ${step.taken.name}`;
      if (step.kind === 'raise') return `raise ${step.parent}`;
      return `${step.kind} ${step.kind === 'take' ? step.link.ifname : step.link}`;
    }),
    ...findings.map((finding) => {
      const { name, state } = finding;
      if (finding.state === 'missing') return `${name}: ${state} ${finding.what}`;
      if (finding.state === 'refused') return `${name}: ${finding.why.message}`;
      return `${name}: ${state}${finding.carrier ? '' : ' without carrier'}`;
    }),
  ];
}

type Case = [
  what: string,
  wanted: (typeof lab0)[],
  world: Partial<World>,
  taken: Taken[],
  expected: (string | RegExp)[],
];

const cases: Case[] = [
  ['nothing', [], { host: [link('eth0', { addresses: [address] })] }, [], []],
  [
    'a free adapter',
    [lab0],
    { host: [link('lab0')] },
    [],
    ['take lab0', 'join lab0', 'lab0: joined without carrier'],
  ],
  [
    'one by another of its names',
    [lab0],
    { host: [link('enp3s0', { altnames: ['lab0'] })] },
    [],
    ['take enp3s0', 'join enp3s0', 'lab0: joined without carrier'],
  ],
  [
    'one that was taken by another of its names',
    [lab0],
    { inside: [link('enp3s0', { master: 'walt0', flags: UP })] },
    [taken('lab0', { link: 'enp3s0' })],
    ['lab0: joined'],
  ],
  [
    'one that joined',
    [lab0],
    { inside: [link('lab0', { master: 'walt0', flags: UP })] },
    [taken('lab0')],
    ['lab0: joined'],
  ],
  [
    'one without a cable',
    [lab0],
    { inside: [link('lab0', { master: 'walt0', flags: ['UP', 'NO-CARRIER'] })] },
    [taken('lab0')],
    ['lab0: joined without carrier'],
  ],
  [
    'one that a start left half-way',
    [lab0],
    { inside: [link('lab0', { flags: ['UP'] })] },
    [taken('lab0')],
    ['join lab0', 'lab0: joined without carrier'],
  ],
  [
    'one that somebody switched off',
    [lab0],
    { inside: [link('lab0', { master: 'walt0', flags: [] })] },
    [taken('lab0')],
    ['join lab0', 'lab0: joined without carrier'],
  ],
  ['one that is not there', [lab0], {}, [], ['lab0: missing lab0']],
  [
    'one that is named no more',
    [],
    { inside: [link('lab0', { master: 'walt0' })] },
    [taken('lab0')],
    ['give-back lab0'],
  ],
  [
    'a VLAN instead of its adapter',
    [vlan],
    { inside: [link('lab0', { master: 'walt0' })] },
    [taken('lab0')],
    ['give-back lab0', 'lab0.5: missing lab0'],
  ],
  [
    'a VLAN on an adapter in use',
    [vlan],
    { host: [link('lab0', { addresses: [address] })] },
    [],
    ['make-vlan lab0.5', 'join lab0.5', 'lab0.5: joined without carrier'],
  ],
  [
    'a VLAN that the host has made',
    [vlan],
    { host: [link('lab0'), link('lab0.5', { link: 'lab0', linkinfo: { info_kind: 'vlan' } })] },
    [],
    ['take lab0.5', 'join lab0.5', 'lab0.5: joined without carrier'],
  ],
  [
    'a VLAN whose adapter was switched off',
    [vlan],
    { host: [link('lab0')], inside: [link('lab0.5', { master: 'walt0', flags: ['UP'] })] },
    [taken('lab0.5', { vlan: { parent: 'lab0', parentUp: false } })],
    ['raise lab0', 'lab0.5: joined without carrier'],
  ],
  [
    'a VLAN whose adapter is on',
    [vlan],
    { host: [link('lab0', { flags: UP })], inside: [link('lab0.5', { master: 'walt0', flags: UP })] },
    [taken('lab0.5', { vlan: { parent: 'lab0', parentUp: true } })],
    ['lab0.5: joined'],
  ],
  ['a VLAN on nothing', [vlan], {}, [], ['lab0.5: missing lab0']],
  [
    'an address',
    [lab0],
    { host: [link('lab0', { addresses: [address] })] },
    [],
    [/lab0 carries the address 192\.0\.2\.7/],
  ],
  [
    'the default route',
    [lab0],
    { host: [link('lab0', { addresses: [address], routes: [{ dst: 'default', flags: [] }] })] },
    [],
    [/lab0 carries this machine's default route/],
  ],
  [
    'both, accepted',
    [{ ...lab0, acceptInUse: true }],
    { host: [link('lab0', { addresses: [address], routes: [{ dst: 'default', flags: [] }] })] },
    [],
    ['take lab0', 'join lab0', 'lab0: joined without carrier'],
  ],
  [
    'a VLAN of the host on it',
    [lab0],
    { host: [link('lab0'), link('lab0.7', { link: 'lab0', linkinfo: { info_kind: 'vlan' } })] },
    [],
    [/lab0 carries lab0\.7/],
  ],
  [
    'a member of a bond',
    [{ ...lab0, acceptInUse: true }],
    { host: [link('lab0', { master: 'bond0' })] },
    [],
    [/member of bond0/],
  ],
  ['Wi-Fi', [lab0], { host: [link('lab0', { wireless: true })] }, [], [/Wi-Fi adapter/]],
  [
    'a bond',
    [lab0],
    { host: [link('lab0', { linkinfo: { info_kind: 'bond' } })] },
    [],
    [/of the kind "bond"/],
  ],
  ['a modem', [lab0], { host: [link('lab0', { link_type: 'ppp' })] }, [], [/"ppp"/]],
  [
    'a name that other programs would take for an option',
    [lab0],
    { host: [link('a,b', { altnames: ['lab0'] })] },
    [],
    [/is called "a,b"/],
  ],
  [
    'one of several',
    [lab0, { ...lab0, name: 'lab1', link: 'lab1' }],
    { host: [link('lab1')] },
    [taken('lab0')],
    ['take lab1', 'join lab1', 'lab0: missing lab0', 'lab1: joined without carrier'],
  ],
];

for (const [what, wanted, world, known, expected] of cases) {
  it(what, () => {
    const told = brief(plan(wanted, { host: [], inside: [], ...world }, known, 'walt0'));
    assert.equal(told.length, expected.length, told.join('\n'));
    for (const [index, line] of expected.entries()) {
      if (typeof line === 'string') assert.equal(told[index], line);
      else assert.match(told[index] ?? '', line);
    }
  });
}
