/** Whether init hands over before /persist is mounted: with busybox as nodes have it, and a folder in place of the node's root. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../../server/src/platform/index.ts';

const SCRIPT = fileURLToPath(new URL('persist-beside', import.meta.url));
const UNITS = 'etc/systemd/system';

/** The root of a node's initramfs. */
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'walt-persist-'));
  const tools = 'usr/lib/walt/bin';
  for (const name of ['bin', 'dev', 'identity', 'layers/0', 'image/persist', 'image/sbin', `image/${tools}`])
    await mkdir(join(root, name), { recursive: true });
  for (const folder of ['bin', `image/${tools}`])
    await copyFile('/bin/busybox', join(root, folder, 'busybox'));
  await copyFile(SCRIPT, join(root, 'persist-beside'));
  await mkdir(join(root, 'image/lib/systemd'), { recursive: true });
  await copyFile('/bin/busybox', join(root, 'image/lib/systemd/systemd'));
  await symlink('/lib/systemd/systemd', join(root, 'image/sbin/init'));
});
afterEach(() => rm(root, { recursive: true }));

/** What init does, after `prepare`, and with `changes` of earlier boots; answers what it decided. All that is mounted goes with its mount namespace. */
function decide(prepare = '', changes = ''): Promise<string> {
  const script = `
    PATH=/bin
    for tool in chroot mkdir ln cat cp mkfifo mount readlink rm touch; do /bin/busybox ln -s busybox /bin/$tool; done
    persist=server:/persist/1 reading= start= lent_init= init=/sbin/init
    ${prepare}
    . /persist-beside
    add_persist_unit
    # As the overlay shows it.
    cp -a /identity/. /image/
    ${changes}
    [ -n "$beside" ] && can_wait_for_persist && echo beside || echo before
    touch /image/persist/file 2> /dev/null && echo written
    cat /image/${UNITS}/walt-persist.service 2> /dev/null
    exit 0`;
  const apart = ['unshare', '--mount', '--propagation', 'private', '--', 'chroot', root];
  return run([...apart, '/bin/busybox', 'sh', '-c', script]);
}

test('systemd waits for /persist, where nothing can be written until it is there', async () => {
  const told = await decide();
  assert.match(told, /^beside\n\[Unit\]/);
  assert.match(told, /^Before=local-fs\.target$/m);
  assert.match(told, /^ConditionPathExists=(\S+)$.*^ExecStart=\S+busybox cat \1$/ms);
});

const others: [what: string, prepare: string, changes?: string][] = [
  ['there is to be none', 'persist='],
  ['something of the image comes over the network', 'reading=network'],
  ['a lent SSH server runs before init', 'start=/usr/lib/walt/bin/start'],
  ['the init is lent', 'lent_init=/usr/lib/walt/bin/init'],
  ['another init runs', 'rm /image/sbin/init; ln -s /bin/busybox /image/sbin/init'],
  [
    "a folder of ours would hide the image's",
    `mkdir -p /layers/0/etc/systemd; ln -s /nix /layers/0/${UNITS}`,
  ],
  ['the unit is masked', '', `ln -s -f /dev/null /image/${UNITS}/walt-persist.service`],
  ['the units were removed', '', `rm -r /image/${UNITS}`],
];
for (const [what, prepare, changes] of others) {
  test(`/persist comes before init where ${what}`, async () => {
    assert.match(await decide(prepare, changes), /^before\nwritten\n/);
  });
}
