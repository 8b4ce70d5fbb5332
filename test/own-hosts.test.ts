/** A cluster of the platform's own: machines that SSH reaches become its hosts, run nodes, are switched off and on, and are removed. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { SERVER } from './hosts/switch.ts';
import { Cluster, ownCluster } from './own-hosts/cluster.ts';
import { playMissingPackages, traces } from './own-hosts/debian.ts';
import { H3, notAdded } from './own-hosts/not-added.ts';
import { plugSystemdMachine, SYSTEMD_HOST } from './own-hosts/systemd-host.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

/** Milliseconds for Slurm to notice that a host is gone, and to begin elsewhere, on a busy machine. */
const FAILOVER = 120_000;
const SMALL = ['--ram', '512M', '--cpu-cores', '1'];

let cluster: Cluster;
let platform: Platform;
/** What h1 and h4 were before they were hosts. */
let untouched: string[][];
before(async () => {
  cluster = await Cluster.start(4);
  platform = await Platform.start({ host: cluster.host, slurm: ownCluster, programs: cluster.bin });
});
after(async () => {
  // Hosts that a failed test left go with the machines.
  if (platform) await rm(platform.paths.hosts, { force: true });
  try {
    await platform?.close();
  } finally {
    await cluster?.[Symbol.asyncDispose]();
  }
});

/** Waits until the machine of n1 runs there. */
function isOn(name: string): Promise<true> {
  const is = async () => (await platform.node())[0]?.host === name;
  return until(`n1 on ${name}`, is, FAILOVER);
}

/** Tells one boot of n1 from another, and that it can be reached. */
function bootId(): Promise<string> {
  return platform.root.on('n1', 'cat /proc/sys/kernel/random/boot_id');
}

/** One of Slurm's programs on the server's machine. */
function slurm(...argv: string[]): Promise<string> {
  return cluster.run(argv, { SLURM_CONF: platform.config.slurm?.config ?? '' });
}

/** `walt-server host …`, which must succeed. */
async function host(...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await platform.server('host', ...words);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Copies of volumes that are right there. */
async function copies(name: string): Promise<number> {
  const hosts: { name: string; volumes: { count: number } | null }[] = JSON.parse(
    await host('list', '--json'),
  );
  return hosts.find((one) => one.name === name)?.volumes?.count ?? 0;
}

/** Waits until n1 is given its volumes from there. */
function mountsFrom(name: string): Promise<true> {
  const does = async () => (await platform.node())[0]?.volumesFrom === name;
  return until(`volumes from ${name}`, does, FAILOVER);
}

async function isInUse(name: string): Promise<boolean> {
  return new RegExp(`^${name} +in use `, 'm').test(await host('list'));
}

test('machines that SSH reaches become hosts, by one command each', async () => {
  untouched = [await traces(cluster, 'h1'), await traces(cluster, 'h4')];
  assert.match(await host('list'), /^HOST.*\n$/);
  assert.match((await platform.root.walt('node', 'create', 'no')).stderr, /there are no hosts|has no hosts/);
  const told = await host('add', 'h1', cluster.url('h1'), '--feature', 'on-h1', '--volumes');
  assert.match(told, /^h1: connecting to ssh:\/\/root@198.18.0.11\n/);
  assert.match(told, /^h1 runs virtual nodes and keeps copies of volumes: amd64, on-h1, volumes\.$/m);
  await host('add', 'h2', cluster.url('h2', 'joe'), '--feature', 'on-h2');
  assert.match(await host('list'), /^h2 +in use +0 +\d+ MiB +\d+ +amd64,on-h2$/m);
  // A repeat is no harm, and adds what is said.
  const { name, features, volumes } = JSON.parse(
    await host('add', 'h2', cluster.url('h2', 'joe'), '--volumes', '--json'),
  );
  const none = { count: 0, bytes: 0, failure: null };
  assert.deepEqual([name, features, volumes], ['h2', ['amd64', 'on-h2', 'volumes'], none]);
});

for (const [what, words, told, change = ':', back = ':'] of notAdded) {
  test(`no host, and nothing left of the attempt: ${what}`, async () => {
    await cluster.on('h3', change);
    const before = await traces(cluster, 'h3');
    const { status, stderr } = await platform.server('host', 'add', ...words);
    assert.equal(status, 1);
    assert.match(stderr, told);
    assert.deepEqual(await traces(cluster, 'h3'), before);
    await cluster.on('h3', back);
    assert.doesNotMatch(await host('list'), /^h[34] /m);
  });
}

test('where systemd runs a machine, it also runs the host, and jobs go on without slurmd', async () => {
  const machine = await plugSystemdMachine(cluster);
  try {
    await host('add', 'sd', `ssh://root@${SYSTEMD_HOST}`);
    const pid = (await machine.ok('systemctl show --property=MainPID --value walt-slurmd')).trim();
    const job = await slurm('sbatch', '--parsable', '--nodelist=sd', '--chdir=/', '--wrap=sleep 1000');
    await until('the job', async () => (await machine.run('pgrep -x sleep')).status === 0);
    await machine.ok(`kill -KILL ${pid}`);
    await until(
      'slurmd',
      async () => ![pid, ''].includes((await machine.run('pgrep -x slurmd')).stdout.trim()),
    );
    assert.equal((await machine.run('pgrep -x sleep')).status, 0);
    await slurm('scancel', job.trim());
    await host('remove', 'sd');
    assert.match((await machine.run('systemctl status walt-slurmd')).stderr, /could not be found/);
    assert.equal((await machine.run('pgrep -x "slurmd|munged"')).stdout, '');
  } finally {
    await machine.close();
  }
});

test('packages that are missing are installed, and go again', async () => {
  await playMissingPackages(cluster, 'h3', ['nfs-ganesha', 'nfs-ganesha-vfs']);
  const before = await traces(cluster, 'h3');
  await host('add', 'h3', H3);
  const told = await host('add', 'h3', H3, '--volumes');
  assert.match(told, /^h3: installing nfs-ganesha, nfs-ganesha-vfs$/m);
  assert.equal(await cluster.on('h3', 'cat /usr/share/walt-test/nfs-ganesha'), 'here\n');
  const service = '/etc/systemd/system/nfs-ganesha.service';
  assert.equal(await cluster.on('h3', `readlink ${service}`), '/dev/null\n');
  assert.match(
    await host('remove', 'h3'),
    /^h3: these packages, which came with it, stay: nfs-ganesha nfs-ganesha-vfs$/m,
  );
  await cluster.on('h3', 'dpkg --purge nfs-ganesha nfs-ganesha-vfs');
  await host('add', 'h3', H3, '--volumes-only');
  await host('remove', 'h3', '--purge-packages');
  assert.deepEqual(await traces(cluster, 'h3'), before);
});

test('a machine that only keeps copies of volumes has them before the node boots that mounts them there', async () => {
  const told = await host('add', 'h4', cluster.url('h4'), '--volumes-only');
  assert.match(told, /^h4 keeps copies of volumes: amd64, volumes, no-nodes\.$/m);
  assert.match(await host('list'), /^h4 +in use +none +384 MiB /m);
  const refused = await platform.root.walt('node', 'create', 'no', 'host=h4');
  assert.match(refused.stderr, /h4 keeps volumes, and runs no nodes/);
  // A node that waits for its host.
  await host('drain', 'h1');
  await platform.root.ok('node', 'create', 'n1', ...SMALL, 'host=h1', 'volumes.from=h4');
  await until('the copies', async () => (await copies('h4')) === 2, FAILOVER);
  await host('resume', 'h1');
});

test('a node boots there; server, munged and slurmd are killed, the controller hangs, and it does not notice', async () => {
  await platform.booted('n1');
  await mountsFrom('h4');
  const boot = await bootId();
  const [controller, munged] = [await platform.pid('slurmctld'), await platform.pid('munged')];
  process.kill(controller, 'SIGSTOP');
  await platform.crash();
  assert.equal(await bootId(), boot);
  await platform.restarted('slurmctld', controller, FAILOVER);
  await platform.kill('munged');
  await platform.restarted('munged', munged);
  await cluster.on('h1', 'pkill -KILL -x slurmd');
  await isOn('h1');
  assert.equal(await bootId(), boot);
});

test('a host is switched off and on: it comes back by itself', async () => {
  await cluster.kill('h2');
  await until('the end of h2', async () => !(await isInUse('h2')), FAILOVER);
  cluster.boot('h2');
  await until('h2', () => isInUse('h2'), FAILOVER);
});

test('another platform uses the same hosts, of a cluster that is not its own', async () => {
  await using other = await Platform.start({
    ...{ host: cluster.host, image: false },
    slurm: { config: platform.config.slurm?.config, address: SERVER },
  });
  const list = await other.server('host', 'list');
  assert.match(list.stdout, /^h1 +in use +0 /m);
  const { stderr } = await other.server('host', 'add', 'h3', H3);
  assert.match(stderr, /The cluster of this platform is not its own/);
});

test('a host is removed: its node boots elsewhere, and it is the machine that it was', async () => {
  await platform.root.ok('node', 'config', 'n1', 'host=any', 'volumes.from=own-host');
  await until('the copies', async () => (await copies('h1')) === 2, FAILOVER);
  await platform.root.ok('node', 'reboot', '--hard', 'n1');
  await mountsFrom('h1');
  await isOn('h1');
  assert.match(await host('remove', 'h1'), /^h1: 1 node boots on other hosts/m);
  await isOn('h2');
  assert.equal(await cluster.on('h1', 'pgrep -f "^qemu-system.*guest=vm-" || true'), '');
  assert.deepEqual(await traces(cluster, 'h1'), untouched[0]);
  await host('remove', 'h4');
  assert.deepEqual(await traces(cluster, 'h4'), untouched[1]);
  assert.doesNotMatch(await host('list'), /^h[14] /m);
});

test('a host that is gone for good is removed without it', async () => {
  await cluster.kill('h2');
  const { stderr } = await platform.server('host', 'remove', 'h2');
  assert.match(stderr, /h2: the connection to .* ended .*→ .*walt-server host remove --force h2/s);
  assert.match(await host('remove', '--force', 'h2'), /^h2 is removed\.$/m);
  assert.match((await platform.server('host', 'remove', 'h2')).stderr, /There is no host "h2"/);
});

test('nothing of a stopped platform is left on its machine', async () => {
  assert.equal((await platform.server('stop')).status, 0);
  assert.equal(await cluster.run(['nft', 'list', 'tables']), '');
  assert.doesNotMatch(await cluster.run(['ip', 'link']), /vxlan|host-/);
  const [, socket = ''] =
    /socket=([^,]+)/.exec(await readFile(`${platform.paths.cluster}/slurm.conf`, 'utf8')) ?? [];
  assert.equal(dirname(dirname(socket)), '/run/walt-slurm');
  assert.equal(existsSync(dirname(socket)), false);
});
