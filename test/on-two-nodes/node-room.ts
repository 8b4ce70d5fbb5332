/** What a node tells of its memory before programs die for want of it, and how it is found in a rack. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Node } from '@walt/contract';
import type { Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { until } from '../until.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha');
});
after(leavePlatform);

/** Takes memory until a fifteenth of it is left, and keeps it until there is a file /run/enough. Files in memory are filled by the kernel. */
const FILL = `take() { head -c 24000000 /dev/zero >>$1 2>/dev/null; }
while awk '/^MemTotal/ { all = $2 } /^MemAvailable/ { left = $2 } END { exit left * 15 < all }' /proc/meminfo; do
  take /dev/shm/fill || take /root/fill || exit
done
until [ -e /run/enough ]; do sleep 0.2; done
rm -f /dev/shm/fill /root/fill && echo enough`;

async function alpha(): Promise<Node> {
  const [node] = await platform.root.json<Node[]>('node', 'show', 'alpha');
  assert.ok(node);
  return node;
}

test('a node whose memory fills up has swap, and tells before a program is killed', async () => {
  const { root } = platform;
  const filling = root.walt('node', 'run', 'alpha', '--', FILL);
  await until('word of the memory that is short', async () => {
    const { trouble } = await alpha();
    return /^alpha has \d+ of \d+ MiB of memory left/.test(trouble?.message ?? '');
  });
  const { room, notes } = await alpha();
  assert.ok(room && room.swap.total > 0);
  assert.match(
    await root.ok('node', 'show'),
    /alpha has \d+ of \d+ MiB of memory left: programs may be killed/,
  );
  await root.on('alpha', 'touch /run/enough');
  const { status, stdout } = await filling;
  const killed = notes.some(({ kind }) => kind === 'memory');
  assert.deepEqual([status, stdout, killed], [0, 'enough\n', false]);
  await until('no more of it', async () => (await alpha()).trouble === null);
});

test('a node blinks by the program of its image, and stops', async () => {
  const { root } = platform;
  const nothing = await root.walt('node', 'blink', 'alpha', '1');
  assert.match(nothing.stderr, /nothing to blink with: .*virtual node/);
  await root.on('alpha', `printf '#!/bin/sh\\necho $1 >>/run/blinked\\n' >/bin/blink; chmod 755 /bin/blink`);
  assert.match(await root.ok('node', 'blink', 'alpha', '1'), /alpha blinks .*\nalpha has stopped blinking/);
  assert.equal(await root.on('alpha', 'cat /run/blinked; rm /bin/blink'), '1\n0\n');
});
