import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostFacts, parseFacts, type Wanted, whyUnfit } from './host-facts.ts';

const TOLD = `Last login: today
time 1000.250000000
os debian
release 12
kernel 6.1.0-31-amd64
architecture amd64
memory 16000
space 90000
missing munge slurmd \nlacking \nslurm 22.05.8-4+deb12u3
address 192.0.2.11
vxlan yes
ping yes
controller yes
copies 80000
shared yes
loop yes
`;

const FACTS: HostFacts = {
  ...{ time: 1000.25, os: 'debian', release: '12', kernel: '6.1.0-31-amd64', architecture: 'amd64' },
  ...{ memory: 16_000, space: 90_000, owner: undefined, others: [], missing: ['munge', 'slurmd'] },
  ...{ slurm: '22.05.8-4+deb12u3', address: '192.0.2.11', vxlan: true, ping: true, controller: true },
  ...{ lacking: [], copies: 80_000, shared: true, loop: true },
};

test('what a machine tells is read', () => {
  assert.deepEqual(parseFacts(TOLD), FACTS);
});

test('what it cannot tell yet is not taken for something', () => {
  const text = TOLD.replace('slurm 22.05.8-4+deb12u3', 'slurm unknown')
    .replace('address 192.0.2.11', 'address unknown')
    .replace('vxlan yes', 'vxlan unknown')
    .replace('ping yes\n', '')
    .replace('loop yes\n', '');
  const open = { slurm: undefined, address: undefined, vxlan: undefined, ping: undefined, loop: undefined };
  assert.deepEqual(parseFacts(text), { ...FACTS, ...open });
});

test('what a machine tells of itself steers no terminal', () => {
  const facts = parseFacts(TOLD.replace('os debian', 'os \x1b]0;mine\x07\u202edebian\x1b[2J'));
  assert.ok(facts);
  assert.equal(whyUnfit(facts, WANTED)?.message, 'h1: it is no Debian (?]0;mine??debian?[2J 12).');
});

test('whose host it is, and another Slurm', () => {
  const found = parseFacts(`${TOLD}owner 0a1b2c3d h1\nother /etc/slurm/slurm.conf\nother slurmd\n`);
  assert.deepEqual(found?.owner, { platform: '0a1b2c3d', name: 'h1' });
  assert.deepEqual(found?.others, ['/etc/slurm/slurm.conf', 'slurmd']);
});

for (const text of ['', 'bash: facts: command not found', TOLD.replace('memory 16000', 'memory much')]) {
  test(`no answer: ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.equal(parseFacts(text), undefined);
  });
}

const WANTED: Wanted = {
  ...{ name: 'h1', url: 'ssh://root@rack1', platform: '0a1b2c3d', server: '192.0.2.1' },
  ...{ controller: '22.05.8', asked: 1000, answered: 1001, nodes: true, volumes: false },
  hosts: [
    { name: 'h2', url: 'ssh://root@rack2', address: '192.0.2.12' },
    { name: 'h3', url: 'ssh://root@rack3', address: '192.0.2.13' },
  ],
};

const fit: [what: string, facts: Partial<HostFacts>, wanted?: Partial<Wanted>][] = [
  ['an empty Debian', {}],
  ['the next release of Debian, which has no number yet', { release: 'unknown' }],
  [
    'Debian 13, with a controller that is as new',
    { release: '13', slurm: '24.11.5-4' },
    { controller: '24.11.5' },
  ],
  ['a Slurm that is two releases older', {}, { controller: '23.11.4' }],
  [
    'nothing known of its network before packages are there',
    { vxlan: undefined, ping: undefined, address: undefined },
  ],
  [
    'the host itself, again',
    { owner: { platform: '0a1b2c3d', name: 'h2' } },
    { name: 'h2', url: 'ssh://root@rack2' },
  ],
  [
    'the host itself, where SSH reaches it by another name',
    { owner: { platform: '0a1b2c3d', name: 'h2' } },
    { name: 'h2' },
  ],
  ['a host that was installed anew', {}, { name: 'h2', url: 'ssh://root@rack2' }],
  ['little room where packages are there', { missing: [], space: 300 }],
  ['a clock that is a little off', { time: 997 }],
  ['no room for copies where it keeps none', { copies: 0, loop: false }],
  ['room for packages and copies', { copies: 3548 }, { volumes: true }],
  ['room for copies where packages are there', { copies: 2048, missing: [] }, { volumes: true }],
  ['room for copies on a disk of their own', { copies: 2048, shared: false }, { volumes: true }],
  ['little memory where it only keeps volumes', { memory: 600 }, { nodes: false, volumes: true }],
];
for (const [what, facts, wanted = {}] of fit) {
  test(`a machine can be a host: ${what}`, () => {
    assert.equal(whyUnfit({ ...FACTS, ...facts }, { ...WANTED, ...wanted }), undefined);
  });
}

const unfit: [
  what: string,
  facts: Partial<HostFacts>,
  wanted: Partial<Wanted>,
  told: RegExp,
  next: RegExp,
][] = [
  [
    'another system',
    { os: 'ubuntu', release: '24.04' },
    {},
    /no Debian \(ubuntu 24\.04\)/,
    /Debian 12 or newer/,
  ],
  ['an older Debian', { release: '11' }, {}, /it is Debian 11/, /Debian 12 or newer/],
  ['another CPU', { architecture: 'riscv64' }, {}, /CPU is riscv64/, /amd64 or arm64/],
  [
    'a Slurm',
    { others: ['/etc/slurm/slurm.conf', 'slurmd'] },
    {},
    /\/etc\/slurm\/slurm\.conf, slurmd/,
    /existing cluster/,
  ],
  [
    'a newer Slurm',
    { slurm: '24.11.5-4' },
    {},
    /would be 24\.11\.5-4, .* is 22\.05\.8/,
    /same release of Debian/,
  ],
  ['a Slurm that is too old', {}, { controller: '24.11.5' }, /would be 22\.05\.8/, /older by two releases/],
  [
    'no archive',
    { slurm: undefined, lacking: ['munge', 'slurmd'] },
    {},
    /do not have munge, slurmd/,
    /apt-get update/,
  ],
  ['little memory', { memory: 900 }, {}, /900 MiB of memory/, /1024 MiB/],
  ['a disk that is nearly full', { space: 1400 }, {}, /1400 MiB are free on \/var/, /1500 MiB/],
  ['a disk that is full', { space: 100, missing: [] }, {}, /100 MiB are free/, /200 MiB/],
  [
    'no room for packages and copies',
    { copies: 3547 },
    { volumes: true },
    /3547 MiB are free on \/var\/cache/,
    /3548 MiB, of which 1024 stay free, and 1500 are for packages/,
  ],
  [
    'no room for copies',
    { copies: 2047, missing: [] },
    { volumes: true },
    /2047 MiB are free/,
    /2048 MiB, of which 1024 stay free\.$/,
  ],
  ['no loop devices', { loop: false }, { volumes: true }, /no loop devices/, /modprobe loop/],
  [
    'too little memory for copies',
    { memory: 500 },
    { nodes: false, volumes: true },
    /500 MiB of memory/,
    /512 MiB/,
  ],
  ['a clock that is behind', { time: 900 }, {}, /100 s behind this machine's/, /time server/],
  ['a clock that is ahead', { time: 1100 }, {}, /99 s ahead of this machine's/, /time server/],
  [
    'a kernel without VXLAN',
    { vxlan: false },
    {},
    /kernel \(6\.1\.0-31-amd64\) makes no VXLAN/,
    /linux-image-amd64/,
  ],
  ['no way to the server', { ping: false }, {}, /192\.0\.2\.1 does not answer/, /ICMP echo/],
  ['no way to the controller', { controller: false }, {}, /port 6817 of 192\.0\.2\.1/, /let that port pass/],
  [
    'another platform',
    { owner: { platform: 'ffff', name: 'x' } },
    {},
    /host of another platform/,
    /host remove x.*walt-host\/undo/,
  ],
  [
    'a host of another name',
    { owner: { platform: '0a1b2c3d', name: 'h9' } },
    {},
    /is the host h9 already/,
    /One machine/,
  ],
  ['a name that is taken', {}, { name: 'h2' }, /host of that name, at ssh:\/\/root@rack2/, /another name/],
  ['an address that is taken', { address: '192.0.2.13' }, {}, /192\.0\.2\.13, is that of the host h3/, /NAT/],
  ['the server itself', { address: '192.0.2.1' }, {}, /this machine itself/, /no virtual nodes/],
];
for (const [what, facts, wanted, told, next] of unfit) {
  test(`a machine cannot be a host: ${what}`, () => {
    const all = { ...WANTED, ...wanted };
    const why = whyUnfit({ ...FACTS, ...facts }, all);
    assert.ok(why?.message.startsWith(`${all.name}: `));
    assert.match(why?.message ?? '', told);
    assert.match(why?.hint ?? '', next);
  });
}
