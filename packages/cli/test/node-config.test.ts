import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { openClient } from './client.ts';

const { server, checkout } = await openClient();

beforeEach(async () => {
  await server.clear();
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('alice/debian');
  await server.addNode('vnode1');
  await server.addNode('pc1', 'waltplatform/pc-x86-64-default', 'physical');
  await server.addNode('pc2', 'alice/debian', 'physical');
});

const shown = async (set: string) => (await checkout.run(['node', 'config', set])).stdout;

describe('walt node config', () => {
  test('shows nodes with equal settings together, each with those that it has', async () => {
    assert.equal(
      await shown('all-nodes'),
      `pc1 and pc2
  model=pc-x86-64
  power=none
  netsetup=LAN
  expose=none
  boot.timeout=180
  boot.retries=9
  volumes.from=own-host
  kexec.allow=true
  mount.persist=true
  logs.console=true
  logs.journal=false
  logs.netconsole=false

vnode1
  netsetup=LAN
  expose=none
  cpu.cores=2
  ram=1G
  disks=none
  networks=walt-net
  host=any
  boot.delay=0
  boot.timeout=180
  boot.retries=9
  volumes.from=own-host
  mount.persist=true
  logs.console=true
  logs.journal=false
  logs.netconsole=false
`,
    );
  });

  test('sets all that is given on all nodes, and takes it back', async () => {
    assert.deepEqual(
      await checkout.run(['node', 'config', 'pc1,vnode1', 'boot.timeout=300', 'boot.retries=0']),
      { status: 0, stdout: 'pc1 and vnode1 have boot.timeout=300, boot.retries=0 now.\n', stderr: '' },
    );
    assert.match(
      await shown('vnode1'),
      /^ {2}boot\.timeout=300 {2}\(set\)\n {2}boot\.retries=0 {2}\(set\)$/m,
    );
    await checkout.run(['node', 'config', 'vnode1', 'boot.timeout=none', 'boot.retries=default']);
    assert.match(await shown('vnode1'), /^ {2}boot\.timeout=none {2}\(set\)\n {2}boot\.retries=9$/m);
    assert.match(await shown('pc1'), /boot\.timeout=300/, 'others keep theirs');
  });

  test('--json is for programs', async () => {
    const set = await checkout.run(['node', 'config', 'vnode1', 'boot.retries=3', '--json']);
    assert.deepEqual(JSON.parse(set.stdout), { nodes: ['vnode1'], reboot: [] });
    const all = await checkout.run(['node', 'config', 'vnode1', '--json']);
    assert.deepEqual(JSON.parse(all.stdout), [
      {
        name: 'vnode1',
        settings: [
          { name: 'netsetup', value: 'LAN', isSet: false },
          { name: 'expose', value: 'none', isSet: false },
          { name: 'cpu.cores', value: '2', isSet: false },
          { name: 'ram', value: '1G', isSet: false },
          { name: 'disks', value: 'none', isSet: false },
          { name: 'networks', value: 'walt-net', isSet: false },
          { name: 'host', value: 'any', isSet: false },
          { name: 'boot.delay', value: '0', isSet: false },
          { name: 'boot.timeout', value: '180', isSet: false },
          { name: 'boot.retries', value: '3', isSet: true },
          { name: 'volumes.from', value: 'own-host', isSet: false },
          { name: 'mount.persist', value: 'true', isSet: false },
          { name: 'logs.console', value: 'true', isSet: false },
          { name: 'logs.journal', value: 'false', isSet: false },
          { name: 'logs.netconsole', value: 'false', isSet: false },
        ],
      },
    ]);
  });

  test('memory, cores and disks are those of `node create`, too, and need a reboot where they change', async () => {
    await server.addImage('alice/board', { models: ['qemu-armhf'], architecture: 'armhf' });
    const made = await checkout.run([
      'node',
      'create',
      'made',
      '--image',
      'debian',
      '--ram',
      '512M',
      'disks=1G',
      'cpu.cores=default',
    ]);
    assert.equal(made.stderr, '');
    assert.match(
      await shown('made'),
      /^ {2}cpu\.cores=2\n {2}ram=512M {2}\(set\)\n {2}disks=1G {2}\(set\)$/m,
    );
    const same = await checkout.run([
      'node',
      'config',
      'made',
      'ram=512M',
      'cpu.cores=default',
      'boot.delay=random',
    ]);
    assert.equal(same.stdout, 'made has ram=512M, cpu.cores=default, boot.delay=random now.\n');
    const larger = await checkout.run(['node', 'config', 'made,vnode1', 'ram=768M']);
    assert.match(larger.stdout, /\nReboot to apply it: `walt node reboot made,vnode1`\.\n$/);
    const kept = await checkout.run(['node', 'config', 'made', 'disks=2G,1G[template=ext4]', '--json']);
    assert.deepEqual(JSON.parse(kept.stdout), { nodes: ['made'], reboot: ['made'] });
    const refused = await checkout.run(['node', 'create', 'arm', '--image', 'board', '--cpu-cores', '9']);
    assert.match(refused.stderr, /of the model qemu-armhf has 8 CPU cores and 3072 MiB of memory at most/);
    assert.equal((await checkout.run(['node', 'create', 'arm', 'power=none'])).status, 1);
  });

  test('words have any case, and are kept as they are told', async () => {
    const words = ['netsetup=nat', 'mount.persist=FALSE', 'boot.delay=Random', 'disks=NONE', 'ram=Default'];
    assert.equal((await checkout.run(['node', 'config', 'vnode1', ...words])).stderr, '');
    const rows = await shown('vnode1');
    for (const row of ['netsetup=NAT', 'mount.persist=false', 'boot.delay=random', 'disks=none'])
      assert.ok(rows.includes(`  ${row}  (set)\n`), rows);
    assert.match(rows, /^ {2}ram=1G$/m);
    await checkout.run(['node', 'config', 'vnode1', ...words.map((word) => word.replace(/=.*/, '=default'))]);
  });

  test('what only a newer server can have set is that node’s trouble alone', async () => {
    const { id } = await server.nodes.lookup.row('vnode1');
    await server.nodes.store.configure([id], { disks: '1G[template=zfs]' });
    assert.deepEqual(await server.nodes.reconciler.reconcile(), []);
    const { stdout } = await checkout.run(['node', 'show', 'vnode1']);
    assert.match(stdout, /disks=1G\[template=zfs\]/);
    assert.match(stdout, /does not know all settings of vnode1: its machine is left as it is/);
    const change = await checkout.run(['node', 'config', 'vnode1', 'ram=2G']);
    assert.match(change.stderr, /does not know what one of these settings means: .*disks=1G\[template=zfs\]/);
    await server.nodes.store.configure([id], { disks: null });
    await server.nodes.reconciler.reconcile();
  });

  test('what loses the data of a disk is asked first, with its size', async () => {
    await checkout.run(['node', 'config', 'vnode1', 'disks=2G,1G[template=ext4]']);
    const before = await shown('vnode1');
    for (const [value, lost] of [
      [
        'disks=none',
        /^walt: All data on disk 1 of vnode1 \(2 GB, 0 MB in use\), disk 2 of vnode1 \(1 GB, \d+ MB in use\) would be lost/,
      ],
      [
        'disks=1G,1G[template=ext4]',
        /^walt: All data on disk 1 of vnode1 \(2 GB, 0 MB in use\) would be lost for good/,
      ],
      ['disks=2G,1G[template=fat32]', /^walt: All data on disk 2 of vnode1 \(1 GB/],
    ] as const) {
      const { status, stderr } = await checkout.run(['node', 'config', 'vnode1', value]);
      assert.equal(status, 1);
      assert.match(stderr, lost);
      assert.equal(await shown('vnode1'), before);
    }
    const removal = await checkout.run(['node', 'remove', 'vnode1']);
    assert.match(
      removal.stderr,
      /^walt: Removing vnode1 deletes what is stored in \/persist there, and disk 1 of vnode1 \(2 GB/,
    );
    assert.equal((await checkout.run(['node', 'config', 'vnode1', 'disks=none', '--yes'])).status, 0);
  });

  test('other networks need a reboot, and how fast they are does not', async () => {
    const set = async (value: string) => (await checkout.run(['node', 'config', 'vnode1', value])).stdout;
    assert.match(await set('networks=walt-net,home-net[bw=100Mbps]'), /\nReboot to apply it/);
    assert.equal(
      await set('networks=walt-net,home-net[bw=1Gbps,lat=300us]'),
      'vnode1 has networks=walt-net,home-net[bw=1Gbps,lat=300us] now.\n',
    );
    assert.match(await set('networks=default'), /\nReboot to apply it/);
  });

  test('a port of the server leads to one node', async () => {
    const set = (node: string, value: string) => checkout.run(['node', 'config', node, `expose=${value}`]);
    assert.equal((await set('vnode1', '80:8080,81:8081')).stdout, 'vnode1 has expose=80:8080,81:8081 now.\n');
    const second = await set('pc1', '80:8081');
    assert.match(
      second.stderr,
      /Port 8081 of the server leads to vnode1 already\.\n {2}→ .*walt node config vnode1 expose=none/,
    );
    const made = await checkout.run(['node', 'create', 'new1', '--image', 'debian', 'expose=22:8080']);
    assert.match(made.stderr, /Port 8080 of the server leads to vnode1 already/);
    assert.equal((await set('vnode1', '82:8081')).status, 0, 'its own are its own');
    assert.equal((await set('all-nodes', 'none')).status, 0);
    assert.equal((await set('pc1', '80:8081')).status, 0);
  });

  test('whoever joins a network on which others are is asked first', async () => {
    await server.addImage('bob/debian');
    await server.addNode('theirs', 'bob/debian');
    await server.addNode('mine', 'alice/debian');
    const home = 'networks=walt-net,home-net';
    await checkout.run(['node', 'config', 'theirs', home, '--yes']);
    const asked =
      /^walt: theirs is on home-net already, of bob: they would hear each other\. Go on\?\n {2}→ If you agree/;
    for (const joins of [
      ['node', 'config', 'mine', home],
      ['node', 'create', 'new1', '--image', 'debian', home],
    ]) {
      const refused = await checkout.run(joins);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, asked);
      assert.equal((await checkout.run([...joins, '--yes'])).status, 0);
    }
    assert.equal(
      (await checkout.run(['node', 'config', 'mine', `${home}[lat=1ms]`])).stderr,
      '',
      'it is there',
    );
  });

  test('another model needs a reboot, and gives a free node the default image for it', async () => {
    const { stdout } = await checkout.run(['node', 'config', 'pc1', 'model=qemu-arm64']);
    assert.equal(stdout, 'pc1 has model=qemu-arm64 now.\nReboot to apply it: `walt node reboot pc1`.\n');
    const [pc1] = await server.nodes.store.all().then((all) => all.filter(({ name }) => name === 'pc1'));
    assert.deepEqual(
      [pc1?.model, pc1?.architecture, pc1?.image_owner, pc1?.image_name],
      ['qemu-arm64', 'arm64', 'waltplatform', 'arm64-default'],
    );
  });

  test('power is told by node show, and what is wrong with it, too', async () => {
    await checkout.run(['node', 'config', 'pc1', 'power=wake-on-lan']);
    const { stdout } = await checkout.run(['node', 'show', '--all']);
    assert.match(stdout, /^pc1 .* physical +wake-on-lan$/m);
    assert.match(stdout, /^pc2 .* physical +none$/m);
    assert.match(
      stdout,
      /^pc2 does not answer, and nobody has its power\.\n {2}→ Switch it off and on by hand/m,
    );
    const { stdout: json } = await checkout.run(['node', 'show', '--all', '--json']);
    const [pc1] = JSON.parse(json).filter(({ name }: { name: string }) => name === 'pc1');
    assert.deepEqual(pc1.power, { kind: 'wake-on-lan', source: 'wake-on-lan', state: null });
  });

  test('a hard reboot where nobody can cut the power is refused before anything is done', async () => {
    await checkout.run(['node', 'config', 'pc1', 'power=wake-on-lan']);
    const { status, stderr } = await checkout.run(['node', 'reboot', '--hard', 'vnode1,pc1,pc2', '--yes']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^walt: Nobody can cut the power of pc1, pc2\.\n {2}→ Leave out .*Nothing was done\./,
    );
    assert.deepEqual(
      (await server.nodes.store.all()).map(({ generation }) => generation),
      [1, 1, 1],
    );
  });
});

const exposeRefusals: [args: string[], stderr: RegExp][] = [
  [
    ['pc1', 'expose=80'],
    /expose cannot be "80"\.\n {2}→ It must be none, or up to 32 pairs as 80:8080,443:8443/,
  ],
  [['pc1', 'expose=80:8080,81:8080'], /expose cannot be/],
  [['pc1', 'expose=80:70000'], /expose cannot be/],
  [
    ['pc1,vnode1', 'expose=80:8080'],
    /A port of the server leads to one node, not to 2\.\n {2}→ Set it node by node/,
  ],
];

const machineRefusals: [args: string[], stderr: RegExp][] = [
  [['vnode1,pc1', 'ram=2G'], /Only virtual nodes have the setting ram: pc1 is not\./],
  [['pc1', 'disks=1G'], /Only virtual nodes have the setting disks: pc1 is not\./],
  [
    ['vnode1', 'ram=127M'],
    /ram cannot be "127M"\.\n {2}→ It must be a size from 128M to 1024G; default means 1G/,
  ],
  [['vnode1', 'cpu.cores=65'], /cpu\.cores cannot be "65"\.\n.* 1 to 64/],
  [['vnode1', 'cpu.cores=0'], /cpu\.cores cannot be "0"/],
  [['vnode1', 'disks=32'], /disks cannot be "32"\.\n.*up to 8 sizes as 32G,1T/],
  [['vnode1', 'disks=1G[template=../x]'], /disks cannot be/],
  [['vnode1', 'disks=1G\u001b[2J'], /disks cannot be "1G.*2J"/],
  [['vnode1,pc1', 'networks=walt-net'], /Only virtual nodes have the setting networks: pc1 is not\./],
  [
    ['vnode1', 'networks=home-net'],
    /networks cannot be "home-net"\.\n {2}→ It must be walt-net and up to 7 other names/,
  ],
  [['vnode1', 'networks=walt-net,walt-net'], /networks cannot be/],
  [
    ['vnode1', 'networks=walt-net,no-bridge-is-called-so'],
    /networks cannot be.*\n.*up to 13 lower-case letters/,
  ],
  [['vnode1', 'networks=walt-net,a[bw=0Mbps]'], /networks cannot be.*\n.*bw in Mbps or Gbps/],
  [['vnode1', 'networks=walt-net,a;reboot'], /networks cannot be/],
  [['vnode1', 'networks=walt-net,\u001b[31m'], /networks cannot be "walt-net,.*31m"/],
  [['vnode1', 'boot.delay=soon'], /boot\.delay cannot be "soon"\.\n.*random \(1 to 10\)/],
  [['vnode1', 'boot.delay=3601'], /boot\.delay cannot be "3601"/],
  [['pc1', 'kexec.allow=1'], /kexec\.allow cannot be "1"\.\n.*true or false/],
  [['vnode1', 'kexec.allow=true'], /vnode1.*kexec\.allow|kexec\.allow.*vnode1/s],
  [['all-nodes', 'mount.persist=no'], /mount\.persist cannot be "no"\.\n.*true or false/],
  [['all-nodes', 'logs.journal=1'], /logs\.journal cannot be "1"\.\n.*true or false/],
  [['all-nodes', 'logs.netconsole=maybe'], /logs\.netconsole cannot be "maybe"\.\n.*true or false/],
  [['vnode1', 'logs.console=no'], /logs\.console cannot be "no"\.\n.*true or false/],
];

describe('walt node config refuses, and changes nothing', () => {
  const cases: [args: string[], stderr: RegExp][] = [
    [
      ['vnode1', 'boot.timout=300'],
      /There is no setting "boot\.timout"\.\n {2}→ Did you mean boot\.timeout\?/,
    ],
    [['vnode1', '__proto__=1'], /There is no setting "__proto__"\.\n {2}→ Settings are model, power/],
    [['vnode1', 'boot.timeout'], /"boot\.timeout" does not look like NAME=VALUE/],
    [['vnode1', 'boot.timeout=59'], /boot\.timeout cannot be "59"\.\n.*from 60 to 86400; default means 180/],
    [['vnode1', 'boot.timeout=1e9'], /cannot be "1e9"/],
    [['vnode1', 'boot.timeout=99999999999999999999'], /cannot be "9+"/],
    [['vnode1', 'boot.retries=-1'], /cannot be "-1"/],
    [['vnode1', 'boot.retries=0009'], /cannot be "0009"/],
    [['vnode1', 'boot.retries='], /cannot be ""/],
    [['vnode1', 'boot.retries=1', 'boot.retries=2'], /boot\.retries is given twice/],
    [['vnode1', 'boot.retries=1\u001b[31m'], /boot\.retries cannot be "1.*31m"/],
    [['pc1,vnode1', 'power=wake-on-lan'], /Only physical nodes have the setting power: vnode1 is not/],
    [
      ['pc1', 'boot.retries=1', 'power=nowhere'],
      /There is no source of power "nowhere"\.\n {2}→ There are wake-on-lan/,
    ],
    ...machineRefusals,
    ...exposeRefusals,
    [['pc1', 'power=wake-on-lan:3'], /wake-on-lan has no ports/],
    [['pc1', 'power=-x'], /power cannot be "-x"/],
    [['pc1', 'power=wake-on-lan:../x'], /power cannot be/],
    [['pc1', 'model=abacus'], /This platform knows no model "abacus"\.\n {2}→ It knows /],
    [['pc1', 'model=default'], /This platform knows no model "default"/],
    [
      ['pc1,pc2', 'model=qemu-arm64'],
      /pc2 boots alice\/debian, which is an image for pc-x86-64, not for qemu-arm64/,
    ],
  ];
  for (const [args, expected] of cases) {
    test(JSON.stringify(args), async () => {
      const { status, stdout, stderr } = await checkout.run(['node', 'config', ...args]);
      assert.match(stderr, expected);
      assert.ok(!stderr.includes('\u001b'));
      assert.deepEqual([status === 0, stdout], [false, '']);
      const all = await server.nodes.store.all();
      assert.deepEqual(
        all.map(({ settings, model }) => [settings, model]),
        all.map(() => [{}, 'pc-x86-64']),
      );
    });
  }
});
