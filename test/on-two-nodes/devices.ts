/** What the platform hears of machines on walt-net: of a node that boots, and of one that is none. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Device } from '@walt/contract';
import { attempt, run } from '../../packages/server/src/platform/index.ts';
import type { Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';

/** Of Raspberry Pis. */
const MAC = 'b8:27:eb:12:34:56';
const STRANGER = 'unknown-b827eb123456';

let platform: Platform;
const devices = async () => JSON.parse(await platform.root.ok('device', 'show', '--json')) as Device[];
const find = async (name: string) => (await devices()).find((device) => device.name === name);

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha');
});
after(leavePlatform);

test('a node told what it is when it booted, is heard on its own port, and nothing is odd', async () => {
  const node = await find('alpha');
  assert.ok(node);
  assert.deepEqual([node.type, node.userClass, node.notes], ['node (virtual)', 'iPXE', []]);
  assert.match(node.port ?? '', /^vm/);
  assert.ok(node.files.includes('http:node/initramfs'), node.files.join(' '));
});

test('a stranger is known by what it says, also to the next server; it can be pinged and forgotten', async () => {
  const machine = `${platform.namespace}-m`;
  const inside = ['ip', 'netns', 'exec', machine];
  await run(['ip', 'netns', 'add', machine]);
  try {
    const peer = ['peer', 'name', 'eth0', 'netns', machine, 'address', MAC];
    const at = ['ip', '-netns', platform.namespace, 'link'];
    await run([...at, 'add', 'stranger', 'type', 'veth', ...peer]);
    await run([...at, 'set', 'stranger', 'master', 'walt0', 'up']);
    await run(['ip', '-netns', machine, 'link', 'set', 'eth0', 'up']);
    const dhcp = ['busybox', 'udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-s', '/bin/true'];
    await run([...inside, ...dhcp, '-x', 'hostname:printer', '-V', 'ACME']);
    const heard = await find(STRANGER);
    assert.ok(heard?.ip);
    const { vendor, vendorClass, hostname, port, type } = heard;
    assert.deepEqual(
      { vendor, vendorClass, hostname, port, type },
      {
        ...{ vendor: 'Raspberry Pi Foundation', vendorClass: 'ACME', hostname: 'printer' },
        ...{ port: 'stranger', type: 'unknown' },
      },
    );
    await run(['ip', '-netns', machine, 'address', 'add', `${heard.ip}/16`, 'dev', 'eth0']);
    await platform.root.ok('device', 'ping', '-c', '1', STRANGER);

    await platform.crash();
    assert.equal((await find(STRANGER))?.hostname, 'printer');
    await platform.root.ok('device', 'forget', STRANGER);
    assert.equal(await find(STRANGER), undefined);
  } finally {
    await attempt(['ip', '-netns', platform.namespace, 'link', 'delete', 'stranger']);
    await run(['ip', 'netns', 'delete', machine]);
  }
});
