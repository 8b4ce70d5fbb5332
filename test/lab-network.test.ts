/**
 * A lab: an adapter of the server leads to a switch, on which a machine boots. Namespaces play the server's host and the switch, QEMU
 * the machine.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ServerStatus } from '@walt/contract';
import { vlanWords } from '../packages/server/src/network/adapters/carry-out.ts';
import { namespaceFile, run } from '../packages/server/src/platform/index.ts';
import { defaultTar } from './default-tar.ts';
import { PC_EMULATOR } from './pc/pc.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

const HOST = `wh${process.pid}`;
const LAB = `wl${process.pid}`;
const MAC = '52:54:00:73:00:01';

const onHost = (...words: string[]) => run(['ip', '-netns', HOST, ...words]);
const inLab = (...words: string[]) => run(['ip', '-netns', LAB, ...words]);

let platform: Platform;
let machine: ChildProcess | undefined;

/** An adapter of the host, `lab0`, whose cable leads to the switch. */
async function plug(): Promise<void> {
  await onHost('link', 'add', 'lab0', 'mtu', '9000', 'up', 'type', 'veth', 'peer', 'port0', 'netns', LAB);
  await inLab('link', 'set', 'port0', 'master', 'switch0', 'up');
}

before(async () => {
  for (const name of [HOST, LAB]) {
    await run(['ip', 'netns', 'add', name]);
    await run(['ip', '-netns', name, 'link', 'set', 'lo', 'up']);
  }
  await inLab('link', 'add', 'switch0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  await inLab('link', 'set', 'switch0', 'up');
  await plug();
  platform = await Platform.start({ start: false, host: HOST, network: { interfaces: ['lab0'] } });
  // This host has no way to Debian's packages.
  if (!existsSync(await defaultTar('amd64', platform.config.cache))) await (await Platform.start()).close();
});
after(async () => {
  if (machine && machine.exitCode === null && machine.signalCode === null) {
    machine.kill('SIGKILL');
    await once(machine, 'exit');
  }
  await platform?.close();
  for (const name of [HOST, LAB]) await run(['ip', 'netns', 'delete', name]);
});

/** What the host sees of the adapter. */
function seen(): Promise<string> {
  return onHost('-details', 'link', 'show', 'dev', 'lab0');
}

async function adapter(): Promise<ServerStatus['adapters'][number] | undefined> {
  const { stdout } = await platform.server('status', '--json');
  return JSON.parse(stdout).adapters[0];
}

test('a start is refused while the host uses the adapter, with the way out; nothing is changed', async () => {
  await onHost('address', 'add', '192.0.2.2/24', 'dev', 'lab0');
  await onHost('route', 'add', 'default', 'via', '192.0.2.1');
  const before = await until('its link', async () => {
    const shown = await seen();
    return / state UP /.test(shown) && shown;
  });
  const { status, stderr } = await platform.server('start');
  assert.equal(status, 1);
  assert.match(stderr, /lab0 carries this machine's default route.*\n {2}→ .*accept-in-use: true/);
  assert.equal(await seen(), before);
  await onHost('address', 'flush', 'dev', 'lab0');
});

test('a machine on the switch boots, and is reached', async () => {
  await platform.up();
  assert.equal((await adapter())?.state, 'joined');
  assert.match((await platform.server('status')).stdout, /^lab0 +joined +\d/m);
  await platform.root.ok('advanced', 'update-default-images', '--if-missing');
  await inLab('tuntap', 'add', 'dev', 'machine0', 'mode', 'tap');
  await inLab('link', 'set', 'machine0', 'master', 'switch0', 'up');
  machine = powerOn();
  const node = await until(
    'the machine to boot',
    async () => (await platform.node()).find(({ mac, state }) => mac === MAC && state === 'booted'),
    400_000,
  );
  assert.equal(node.type, 'physical');
  assert.equal(await platform.root.on(node.name, 'hostname'), `${node.name}\n`);
});

test('a VLAN is made as the server makes it, in a kernel that has them: it carries tagged frames', async () => {
  const [node] = await platform.node();
  assert.ok(node);
  // The node plays all: the server's machine and its namespace, and the switch.
  const words = vlanWords({
    link: 'lab0.169',
    parent: { ifname: 'lab0', mtu: 9000 },
    id: 169,
    namespace: 'inside',
  });
  const script = `set -eu
modprobe 8021q
for name in host inside lab; do ip netns add $name; done
ip -netns host link add lab0 mtu 9000 up type veth peer port0 netns lab
ip -netns lab link set port0 up
ip -netns host ${words.join(' ')}
ip -netns inside link add walt0 type bridge
ip -netns inside link set dev lab0.169 master walt0 up
ip -netns inside address add 192.0.2.1/24 dev walt0
ip -netns inside link set walt0 up
ip -netns lab link add link port0 name tagged up type vlan id 169
ip -netns lab address add 192.0.2.2/24 dev tagged
for try in $(seq 100); do
  ip netns exec lab bash -c 'echo > /dev/udp/192.0.2.1/9' || true
  ip -netns lab neighbour show 192.0.2.1 | grep -q lladdr && break
  sleep 0.1
done
ip -netns lab neighbour show 192.0.2.1
ip -netns inside -details link show lab0.169`;
  const shown = await platform.root.on(node.name, script);
  assert.match(shown, /^192\.0\.2\.1 dev tagged lladdr /m);
  assert.match(shown, /lab0\.169@.* mtu 1500 .*master walt0/);
  assert.match(shown, /vlan protocol 802\.1Q id 169/);
});

test('its connection lives on when the server crashes, and comes back when the adapter does', async () => {
  const [node] = await platform.node();
  assert.ok(node);
  const { since } = (await adapter()) ?? {};
  await platform.crash();
  assert.equal((await adapter())?.since, since);
  assert.equal(await platform.root.on(node.name, 'hostname'), `${node.name}\n`);
  await run(['ip', '-netns', platform.namespace, 'link', 'delete', 'dev', 'lab0']);
  await until('it to be missed', async () => (await adapter())?.state === 'missing');
  await plug();
  await until('it to be back', async () => (await adapter())?.state === 'joined');
  assert.equal(await platform.root.on(node.name, 'cat /proc/sys/kernel/hostname'), `${node.name}\n`);
});

test('the host has the adapter again as it was, also after a crash of all that watches over it', async () => {
  await platform.kill();
  const { status, stderr } = await platform.server('stop');
  assert.equal(status, 0, stderr);
  const back = await until('its link', async () => {
    const shown = await seen();
    return / state UP /.test(shown) && shown;
  });
  assert.match(back, / mtu 9000 /);
  assert.doesNotMatch(back, /master/);
});

/** A PC with iPXE in its adapter, as virtual nodes have it; the platform knows nothing of it. */
function powerOn(): ChildProcess {
  const parts = ['-no-user-config', '-nodefaults', '-display', 'none', '-smp', '2', '-m', '1G'];
  const entropy = ['-device', 'virtio-rng-pci'];
  const net = ['-netdev', 'tap,id=net,ifname=machine0,script=no,downscript=no'];
  const card = ['-device', `virtio-net-pci,netdev=net,mac=${MAC},bootindex=0`];
  const inside = ['--pdeathsig', 'KILL', '--', 'nsenter', `--net=${namespaceFile(LAB)}`, '--'];
  return spawn('setpriv', [...inside, ...PC_EMULATOR, ...parts, ...entropy, ...net, ...card], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
