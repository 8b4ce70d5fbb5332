import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from './config.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-config-'));
});
after(() => rm(folder, { recursive: true }));

async function load(text: string) {
  const file = join(folder, 'server.conf');
  await writeFile(file, text);
  return loadConfig(file);
}

const lab = 'label: lab, kind: docker-registry-v2';

test('registries have what they leave out', async () => {
  assert.deepEqual((await load('')).registries, [
    {
      ...{ label: 'hub', kind: 'docker-hub', description: 'Docker Hub' },
      ...{ host: 'docker.io', protocol: 'https', ca: undefined, otherHosts: [] },
    },
  ]);
  assert.deepEqual((await load('registries: []')).registries, []);
  assert.deepEqual(
    (await load(`registries: [{ ${lab}, host: "lab.example:5000", ca: /etc/walt/lab.crt }]`)).registries,
    [
      {
        ...{ label: 'lab', kind: 'docker-registry-v2', description: '' },
        ...{ host: 'lab.example:5000', protocol: 'https', ca: '/etc/walt/lab.crt', otherHosts: [] },
      },
    ],
  );
});

test('firmware that is not free software is fetched only where the administrator says so', async () => {
  assert.deepEqual((await load('')).firmware, { nonFree: false });
  assert.deepEqual((await load('firmware: { non-free: true }')).firmware, { nonFree: true });
});

test('the server runs virtual nodes itself, where no cluster is named that does', async () => {
  assert.equal((await load('')).engine, 'local');
  const { engine, slurm } = await load('{ engine: slurm, slurm: { address: 192.0.2.1, partition: vm } }');
  assert.deepEqual(
    [engine, slurm],
    [
      'slurm',
      {
        ...{ own: false, config: '/etc/slurm/slurm.conf', partition: 'vm' },
        ...{ address: '192.0.2.1', vxlanPort: 4789 },
      },
    ],
  );
  const own = 'cluster: own, address: 192.0.2.1';
  assert.deepEqual((await load(`{ state: /srv/walt, engine: slurm, slurm: { ${own} } }`)).slurm, {
    ...{ own: true, config: '/srv/walt/slurm/slurm.conf', partition: 'walt' },
    ...{ address: '192.0.2.1', vxlanPort: 4789 },
  });
  await assert.rejects(load('engine: slurm'), { message: /: slurm: engine: slurm needs slurm.address/ });
  for (const key of ['config: /etc/slurm/slurm.conf', 'partition: vm']) {
    await assert.rejects(load(`slurm: { ${own}, ${key} }`), { message: /is a key of an existing cluster/ });
  }
  await assert.rejects(load('slurm: { address: here }'), { message: /: slurm.address: / });
  await assert.rejects(load('slurm: { address: 192.0.2.1, partition: -p }'), {
    message: /name of a partition/,
  });
});

test('by HTTP, nobody is let in where the administrator does not say so', async () => {
  assert.deepEqual((await load('')).http, { address: '127.0.0.1', port: 0 });
  assert.deepEqual((await load('http: { port: 8080, address: 192.0.2.1 }')).http, {
    ...{ address: '192.0.2.1', port: 8080 },
  });
});

test('lines of logs are in a database of PostgreSQL that a URL names', async () => {
  const place = async (url: string) => (await load(`logs: { database: "${url}" }`)).logs.database;
  const local = { host: '/run/postgresql', port: 5432, tls: 'disable', ca: undefined };
  assert.deepEqual(await place('postgresql://'), { ...local, user: 'root', database: 'root' });
  assert.deepEqual(await place('postgres://walt@/logs'), { ...local, user: 'walt', database: 'logs' });
  assert.deepEqual(await place('postgresql:///a%20b?host=/var/lib/pg&port=5433&user=w'), {
    ...{ ...local, host: '/var/lib/pg', port: 5433, user: 'w', database: 'a b' },
  });
  assert.deepEqual(await place('postgresql://%2Frun%2Fx/logs'), {
    ...{ ...local, host: '/run/x', user: 'root', database: 'logs' },
  });
  const far = { port: 5432, user: 'walt', database: 'logs', tls: 'verify-full', ca: undefined };
  assert.deepEqual(await place('postgresql://walt@db.example/logs'), { ...far, host: 'db.example' });
  assert.deepEqual(await place('postgresql://walt@[fe80::1]:9/logs?sslmode=require'), {
    ...{ ...far, host: 'fe80::1', port: 9, tls: 'require' },
  });
  assert.deepEqual(await place('postgresql://walt@db/logs?sslrootcert=/etc/ca.pem'), {
    ...{ ...far, host: 'db', ca: '/etc/ca.pem' },
  });
  assert.equal((await place('postgresql://walt@127.0.0.1/logs'))?.tls, 'disable');
});

const refused: [text: string, message: RegExp][] = [
  ['http: { port: 65536 }', /http\.port/],
  ['http: { address: "127.0.0.1,fork" }', /http\.address/],
  ['http: { address: localhost }', /http\.address/],
  ['firmware: { non-free: maybe }', /firmware\.non-free: .*boolean/],
  ['logs: { database: "mysql://db/logs" }', /logs\.database: must be like postgresql:/],
  [
    'logs: { database: "postgresql://walt:secret@db/logs" }',
    /logs\.database: has a password: .*password-file/,
  ],
  [
    'logs: { database: "postgresql://db/logs?password=x" }',
    /logs\.database: has password, which is not known/,
  ],
  ['logs: { database: "postgresql://-x/logs" }', /logs\.database: has no host name/],
  ['logs: { database: "postgresql://db:99999/logs" }', /logs\.database: has no port/],
  ['logs: { database: "postgresql://%ff/logs" }', /logs\.database: has a % that is no character/],
  ['logs: { database: "postgresql://db/a%00b" }', /logs\.database: has no name of a database/],
  ['logs: { database: "postgresql://db/x?sslmode=prefer" }', /logs\.database: has another sslmode/],
  ['logs: { database: "postgresql://db,db2/x" }', /logs\.database: has no host name/],
  ['logs: { password-file: secret }', /logs\.password-file: must be an absolute path/],
  ['firmware: { free: true }', /firmware: .*free/],
  ['registries: [{ label: lab }]', /registries\.0\.kind/],
  [`registries: [{ ${lab} }]`, /registries\.0\.host/],
  [`registries: [{ ${lab}, host: "https://lab" }]`, /registries\.0\.host: must be a host name/],
  [`registries: [{ ${lab}, host: "-lab" }]`, /registries\.0\.host: must be a host name/],
  [`registries: [{ ${lab}, host: lab, ca: lab.crt }]`, /registries\.0\.ca: must be an absolute path/],
  [`registries: [{ ${lab}, host: lab, protocol: ftp }]`, /registries\.0\.protocol/],
  [
    `registries: [{ ${lab}, host: lab, other-hosts: ["https://x"] }]`,
    /registries\.0\.other-hosts\.0: must be a host/,
  ],
  ['quotas: { default: { virtual-nodes: -1 } }', /quotas\.default\.virtual-nodes/],
  ['quotas: { default: { memory: 1.5 } }', /quotas\.default\.memory/],
  ['quotas: { default: { images: 9999999999999 } }', /quotas\.default\.images/],
  ['quotas: { default: { disks: 1 } }', /quotas\.default: .*disks/],
  ['quotas: { default: { cores: many } }', /quotas\.default\.cores/],
  ['quotas: { roles: { owner: {} } }', /quotas\.roles: .*owner/],
  ['quotas: { users: { "-x": {} } }', /quotas\.users\.-x: must be the name of a login, or of a group/],
  ['quotas: { groups: { "@lab": {} } }', /quotas\.groups\.@lab: must be the name of a login, or of a group/],
  ['quotas: { users: { ann: 3 } }', /quotas\.users\.ann/],
  [`registries: [{ ${lab}, host: lab, password: x }]`, /registries\.0: .*password/],
  ['registries: [{ label: walt, kind: docker-hub }]', /registries\.0\.label: must not be "walt"/],
  ['power: { A: { kind: ipmi } }', /power\.A: must be 1 to 32 lower-case letters/],
  ['power: { a: { kind: ipmi, host: "-x" } }', /power\.a\.host: must be a host name/],
  [
    `registries: [{ ${lab}, host: a }, { ${lab}, host: b }]`,
    /registries: two registries have the same label/,
  ],
  [
    `registries: [{ ${lab}, host: a }, { label: b, kind: docker-registry-v2, host: a }]`,
    /two registries have the same host/,
  ],
];

for (const [text, message] of refused) {
  test(`refuses ${text}`, async () => {
    await assert.rejects(load(text), { code: 'INVALID', message });
  });
}

test('how long older versions of images stay', async () => {
  assert.deepEqual((await load('')).images, { versions: 10, days: 7 });
  assert.deepEqual((await load('images: { keep-days: 0.5 }')).images, { versions: 10, days: 0.5 });
  for (const bad of ['keep-versions: -1', 'keep-versions: 1.5', 'keep-days: week', 'keep: 1']) {
    await assert.rejects(load(`images: { ${bad} }`), { code: 'INVALID', message: /images/ }, bad);
  }
});

test('adapters of walt-net, and VLANs on them', async () => {
  const of = async (text: string) => (await load(`network: { interfaces: [${text}] }`)).network.interfaces;
  assert.deepEqual((await load('')).network.interfaces, []);
  assert.deepEqual(await of('enp3s0, enp4s0.169, { name: lab0, accept-in-use: true }'), [
    { name: 'enp3s0', link: 'enp3s0', acceptInUse: false },
    {
      ...{ name: 'enp4s0.169', link: 'enp4s0.169', acceptInUse: false },
      vlan: { parent: 'enp4s0', id: 169 },
    },
    { name: 'lab0', link: 'lab0', acceptInUse: true },
  ]);
  // The kernel takes 15 bytes; such an adapter has them already.
  const [long] = await of('enx001122334455.169');
  assert.equal(long?.link, '01122334455.169');
  assert.deepEqual(long?.vlan, { parent: 'enx001122334455', id: 169 });
});

const badInterfaces: [text: string, message: RegExp][] = [
  ['enp3s0.5000', /enp3s0\.5000: the VLAN id 5000 is not one of 1 to 4094/],
  ['enp3s0.0', /VLAN id 0 is not/],
  ['"enp3s0.010"', /VLAN id 010 is not/],
  ['net/enp3s0', /"net\/enp3s0" is no name of an adapter/],
  ['../enp3s0', /is no name of an adapter/],
  ['"enp3s0 up"', /is no name of an adapter/],
  ['"-n"', /is no name of an adapter/],
  ['".169"', /is no name of an adapter/],
  ['"lab\\u001b[0m"', /"lab\\u001b\[0m" is no name/],
  ['abcdefghijklmnop', /abcdefghijklmnop: the name of an adapter has 15 characters at most/],
  ['lo', /lo is the loopback/],
  ['walt0', /walt0 is a name that walt-net needs/],
  ['vm7', /vm7 is a name that walt-net needs/],
  ['lab0, lab0', /lab0 is named twice/],
  ['lab0, lab0.5', /lab0\.5 lies on lab0, which is named too/],
  ['{ name: lab0, vlan: 5 }', /Unrecognized key: "vlan"/],
  ['7', /network\.interfaces\.0/],
];
for (const [text, message] of badInterfaces) {
  test(`refuses the interface ${text}`, async () => {
    await assert.rejects(load(`network: { interfaces: [${text}] }`), { code: 'INVALID', message });
  });
}

test('DHCP servers that are accepted are addresses', async () => {
  const { network } = await load('network: { accept-dhcp-servers: [192.0.2.1] }');
  assert.deepEqual(network.acceptDhcpServers, ['192.0.2.1']);
  await assert.rejects(load('network: { accept-dhcp-servers: [router] }'), {
    message: /accept-dhcp-servers\.0/,
  });
});
