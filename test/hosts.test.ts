/** Virtual nodes on two hosts of a Slurm cluster, which die, are cut off, are drained, and come back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Node } from '@walt/contract';
import { run } from '../packages/server/src/platform/index.ts';
import { Cluster } from './hosts/cluster.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

/** Milliseconds for Slurm to notice that a host is gone, and to begin elsewhere, on a busy machine. */
const FAILOVER = 120_000;
const SMALL = ['--ram', '512M', '--cpu-cores', '1'];

let cluster: Cluster;
let platform: Platform;
before(async () => {
  cluster = await Cluster.start(2);
  platform = await Platform.start({ host: cluster.host, slurm: cluster.keys });
});
after(async () => {
  await platform?.close();
  await cluster?.[Symbol.asyncDispose]();
});

async function node(name: string): Promise<Node> {
  const found = (await platform.node()).find((one) => one.name === name);
  assert.ok(found, `${name} is there`);
  return found;
}

/** Waits until the machine of a node runs there. */
function isOn(name: string, host: string, limit = FAILOVER): Promise<true> {
  return until(`${name} on ${host}`, async () => (await node(name)).host === host, limit);
}

/** Waits until that is told of a node. */
function isTold(name: string, message: RegExp): Promise<true> {
  const told = async () => message.test((await node(name)).trouble?.message ?? '');
  return until(`what is wrong with ${name}: ${message}`, told, FAILOVER);
}

/** Tells one boot of a node from another, and that it can be reached. */
function bootId(name: string): Promise<string> {
  return platform.root.on(name, 'cat /proc/sys/kernel/random/boot_id');
}

/** QEMUs on a host. */
async function machines(host: string): Promise<string[]> {
  const found = await cluster.on(host, 'sh', '-c', 'pgrep -f "^qemu-system.*guest=vm-" || true');
  return found.split('\n').filter((line) => line !== '');
}

/** What jobs have on a host just now. */
function left(host: string): Promise<string> {
  return cluster.on(host, 'sh', '-c', 'ls -A /run/netns; ls -A /run/walt-host | grep -v lock || true');
}

async function jobOf(name: string): Promise<string> {
  const id = { n1: '-1', n2: '-2' }[name] ?? '';
  const jobs = (await cluster.run('squeue', '--noheader', '--format=%i %j')).trim().split('\n');
  return jobs.find((line) => line.endsWith(id))?.split(' ')[0] ?? '';
}

const refused: [what: string, words: string[], told: RegExp][] = [
  [
    'a host that is not there',
    ['host=h9'],
    /There is no host "h9"\.\s+→ There are h1 \(on-h1\), h2 \(on-h2\)/,
  ],
  ['what no host has', ['host=with:on-h1,gpu'], /No host has on-h1 and gpu/],
  ['more memory than a host has', ['ram=8G'], /has 8576 MiB of memory.*h1 has the most, 8000 MiB/],
  ['more cores than a host has', ['cpu.cores=9'], /has 9 CPU cores: h1 has the most, 8/],
  ['disks', ['disks=1G'], /hosts of Slurm have no disks/],
  ['other networks', ['networks=walt-net,home-net'], /are on walt-net alone/],
  ['a host that is none', ['host=-h1'], /host cannot be "-h1"/],
];
for (const [what, words, told] of refused) {
  test(`refused before anything is made: ${what}`, async () => {
    const { status, stderr } = await platform.root.walt('node', 'create', 'no', ...words);
    assert.equal(status, 1);
    assert.match(stderr, told);
    assert.deepEqual(await platform.node(), []);
  });
}

test('nodes boot on the hosts that they may, and reach each other with whole packets', async () => {
  await platform.root.ok('node', 'create', 'n1', ...SMALL, 'host=h1');
  await platform.root.ok('node', 'create', 'n2', ...SMALL, 'host=with:on-h2');
  await platform.booted('n1', 'n2');
  assert.deepEqual([(await node('n1')).host, (await node('n2')).host], ['h1', 'h2']);
  assert.match(await platform.root.ok('node', 'show', 'n1'), /^runs on +h1$/m);
  const { ip } = await node('n2');
  assert.match(
    await platform.root.on('n1', `ping -c 3 -M dont -s 1472 ${ip}`),
    / 3 received, 0% packet loss/,
  );
  assert.match(await platform.consoles(), /Debian GNU\/Linux 12 n2 ttyS0/);
});

test('server, controller and slurmd are killed: no node notices', async () => {
  const boots = [await bootId('n1'), await bootId('n2')];
  await cluster.kill('slurmctld');
  await platform.crash();
  assert.deepEqual([await bootId('n1'), await bootId('n2')], boots);
  const { stderr } = await platform.root.walt('node', 'create', 'late', ...SMALL);
  assert.match(stderr, /Slurm's controller does not answer/);
  await cluster.startController();
  await cluster.on('h1', 'pkill', '-KILL', '-x', 'slurmd');
  await isOn('n1', 'h1');
  // It may run anywhere from its next start on.
  await platform.root.ok('node', 'config', 'n2', 'host=any');
  assert.deepEqual([await bootId('n1'), await bootId('n2')], boots);
});

/** Copies of volumes that are right on h2, as `host list` tells. */
async function copies(): Promise<number> {
  const { stdout } = await platform.server('host', 'list', '--json');
  const hosts: { name: string; volumes: { count: number } | null }[] = JSON.parse(stdout);
  return hosts.find(({ name }) => name === 'h2')?.volumes?.count ?? 0;
}

/** Bytes that the server has sent to h2. */
async function sentToHost(): Promise<number> {
  const links = await run(['ip', '-n', platform.namespace, '-s', '-j', 'link', 'show', 'type', 'vxlan']);
  const all: { ifalias: string; stats64: { tx: { bytes: number } } }[] = JSON.parse(links);
  return all.find(({ ifalias }) => ifalias === 'h2')?.stats64.tx.bytes ?? Number.NaN;
}

async function volumesFrom(name: string): Promise<string | null> {
  return (await node(name)).volumesFrom;
}

/** Reads some MB of its root anew, from where its volumes are. */
function readAnew(name: string): Promise<string> {
  return platform.root.on(name, 'echo 3 >/proc/sys/vm/drop_caches; cat /usr/bin/[b-g]* | cksum');
}

test('a host keeps copies of the volumes of its nodes, which mount them there', async () => {
  const features = ['availablefeatures=on-h2,volumes', 'activefeatures=on-h2,volumes'];
  await cluster.run('scontrol', 'update', 'nodename=h2', ...features);
  await platform.root.ok('node', 'config', 'n2', 'host=h2');
  await until('the copies', async () => (await copies()) === 2);
  assert.equal(await volumesFrom('n2'), null);
  const before = await readAnew('n2');
  await platform.root.ok('node', 'reboot', '--hard', 'n2');
  await platform.booted('n2');
  assert.match(await platform.root.ok('node', 'show', 'n2'), /^volumes from +h2$/m);
  const sent = await sentToHost();
  assert.equal(await readAnew('n2'), before);
  assert.ok((await sentToHost()) - sent < 500_000, 'no volume came through the tunnel');
});

test('what serves volumes is killed, or ended by hand: its nodes wait, and go on', async () => {
  const boot = await bootId('n2');
  const before = await readAnew('n2');
  await cluster.on('h2', 'pkill', '-KILL', '-x', 'ganesha.nfsd');
  assert.equal(await readAnew('n2'), before);
  const job = (await cluster.run('squeue', '--noheader', '--format=%i %j'))
    .split('\n')
    .find((line) => line.endsWith('volumes-h2'));
  await cluster.run('scancel', job?.split(' ')[0] ?? '');
  assert.equal(await readAnew('n2'), before);
  assert.equal(await bootId('n2'), boot);
});

test('a copy that was changed is fetched again, and a node that had mounted it boots anew', async () => {
  await until('the copies', async () => (await copies()) === 2);
  const boot = await bootId('n2');
  const copy = '/run/walt-host/*/volumes/volumes/sha256-*';
  const digest = await cluster.on('h2', 'sh', '-c', `sha256sum ${copy}`);
  await cluster.on('h2', 'sh', '-c', `printf X | dd of=$(ls ${copy}) bs=1 seek=1000000 conv=notrunc`);
  const told = /a node boots anew: what served its volumes is gone/;
  await until('the change to be noticed', async () => told.test(await platform.journal()));
  await until('the right copy', async () => (await copies()) === 2);
  assert.equal(await cluster.on('h2', 'sh', '-c', `sha256sum ${copy}`), digest);
  await platform.root.ok('node', 'config', 'n1', 'volumes.from=h2');
  await platform.root.ok('node', 'reboot', '--hard', 'n1');
  await platform.booted('n1', 'n2');
  assert.notEqual(await bootId('n2'), boot);
  assert.equal(await volumesFrom('n1'), 'h2');
});

/** Writes zeros over a copy below the file system of copies: its host sees no change, and says that it is right. */
const LIE = `
  file=$(ls /run/walt-host/*/volumes/volumes/sha256-*)
  filefrag -b4096 -v "$file" | sed -n 's/^ *[0-9]*: *[0-9]*\\.\\. *[0-9]*: *\\([0-9]*\\)\\.\\. *[0-9]*: *\\([0-9]*\\):.*/\\1 \\2/p' |
    while read -r start count; do
      dd if=/dev/zero of="$(ls /var/cache/walt-host/*.img)" bs=4096 seek="$start" count="$count" conv=notrunc
    done
  dd of="$file" oflag=nocache conv=notrunc count=0`;

test('a host gives other bytes than it tells: a node that reads them boots anew from the server', async () => {
  const changed = () =>
    cluster.on('h2', 'sh', '-c', 'stat -c %Z /run/walt-host/*/volumes/volumes/sha256-* || :');
  const [boot, before, fetched] = [await bootId('n1'), await readAnew('n1'), await changed()];
  // From then on, nobody could log in to start it.
  const read = 'while echo 3 >/proc/sys/vm/drop_caches; do ls -R /usr; done';
  await platform.root.on('n1', `setsid sh -c '${read}' </dev/null >/dev/null 2>&1 &`);
  await cluster.on('h2', 'sh', '-euc', LIE);
  const told = /a host gave a node other bytes of a volume than the server has/;
  await until('the lie to be noticed', async () => told.test(await platform.journal()), FAILOVER);
  await until('another boot', async () => (await volumesFrom('n1')) === null, FAILOVER);
  await platform.booted('n1');
  assert.notEqual(await bootId('n1'), boot);
  assert.equal(await readAnew('n1'), before);
  await until('the right copy', async () => !['', fetched].includes(await changed()), FAILOVER);
  await until('the copies', async () => (await copies()) === 2);
  await platform.root.ok('node', 'reboot', '--hard', 'n1');
  await platform.booted('n1');
  assert.equal(await volumesFrom('n1'), 'h2');
});

test('a host dies: its node boots elsewhere, and so does one that had mounted volumes from it', async () => {
  await platform.root.ok('node', 'config', 'n2', 'host=any');
  const job = await jobOf('n1');
  await cluster.kill('h2');
  await isOn('n2', 'h1');
  await until('another boot of n1', async () => (await volumesFrom('n1')) === null, FAILOVER);
  await platform.booted('n1', 'n2');
  assert.equal(await jobOf('n1'), job, 'it is where it was');
});

test('a host is cut off: its machines end by themselves, and start where they can be reached', async () => {
  cluster.boot('h2');
  await until('h2', async () => (await cluster.states())[1] === 'idle', FAILOVER);
  await cluster.setLink('h1', 'down');
  await until('the end of its machines', async () => (await machines('h1')).length === 0, FAILOVER);
  await isOn('n2', 'h2');
  await isTold('n1', /^n1 waits for a host .*h1 is down/);
  await cluster.setLink('h1', 'up');
  await isOn('n1', 'h1');
});

test('a host is drained: it becomes empty', async () => {
  const unknown = await platform.server('host', 'drain', 'h9');
  assert.match(unknown.stderr, /has no host "h9"\.\s+→ Its hosts: h1, h2/);
  const { stdout } = await platform.server('host', 'drain', 'h2', '--reason', 'a new fan');
  assert.equal(stdout, 'h2 is drained. 1 node boots on other hosts, where these have room.\n');
  await isOn('n2', 'h1');
  await until('the end of its machine', async () => (await machines('h2')).length === 0);
  await until('the end of what serves volumes', async () => (await left('h2')) === '', FAILOVER);
  const list = await platform.server('host', 'list');
  assert.match(list.stdout, /^h1 +in use +2 +8000 MiB +8 +on-h1$/m);
  assert.match(list.stdout, /^h2 +drained +0 +8000 MiB +8 +on-h2,volumes +0, 0 MiB +a new fan$/m);
  assert.equal((await platform.server('host', 'resume', 'h2')).stdout, 'h2 is used again.\n');
  assert.match((await platform.server('host', 'resume', 'h2')).stderr, /h2 is in use already/);
});

test('somebody ends a machine by hand, or holds it', async () => {
  const job = await jobOf('n1');
  await cluster.run('scancel', job);
  await until('another job', async () => ![job, ''].includes(await jobOf('n1')));
  await isOn('n1', 'h1');
  await cluster.run('scontrol', 'requeuehold', await jobOf('n1'));
  await isTold('n1', /^The machine of n1 is Slurm's job \d+, which somebody holds/);
  await cluster.run('scontrol', 'release', await jobOf('n1'));
  await isOn('n1', 'h1');
});

test('nothing of removed nodes is left on hosts, nor of what served volumes where none are kept any more', async () => {
  await platform.root.ok('node', 'remove', 'n1,n2', '--yes');
  await cluster.run('scontrol', 'update', 'nodename=h2', 'availablefeatures=on-h2', 'activefeatures=on-h2');
  await until(
    'the end of all jobs',
    async () => (await cluster.run('squeue', '--noheader')) === '',
    FAILOVER,
  );
  for (const host of cluster.hosts) {
    assert.deepEqual(await machines(host), []);
    assert.equal(await left(host), '');
  }
});

test('nothing of a stopped platform is left on its machine', async () => {
  assert.match(await cluster.run('nft', 'list', 'tables'), /walt-tunnels/);
  assert.equal((await platform.server('stop')).status, 0);
  assert.equal(await cluster.run('nft', 'list', 'tables'), '');
  assert.doesNotMatch(await cluster.run('ip', 'link'), /vxlan|host-/);
});

test('nothing of a platform that is deleted is left on hosts', async () => {
  await cluster.on('h2', 'sh', '-c', 'ls /var/cache/walt-host/*.img');
  await platform.close();
  assert.equal(await cluster.on('h2', 'ls', '/var/cache/walt-host'), '');
});
