/** The programs that a node depends on are killed under it, one after the other: it waits and goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { until } from '../until.ts';

/** Milliseconds within which a killed service is back, however slow the machine is; usually, it takes one second. */
const BACK_WITHIN = 60_000;

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha');
});
after(leavePlatform);

/**
 * What the node does meanwhile: reads files that it never touched before, each from a cold cache, and appends numbered
 * lines to a file in /persist, until it is told to stop. Any error ends in /persist/errors. Between two of them it rests: an
 * emulated node without rest needs seconds to answer.
 */
const LOAD = `
cd /persist && rm -f stop errors lines files reads
find /usr/lib /usr/share /usr/bin -xdev -type f >files
( n=0; while [ ! -e stop ]; do n=$((n+1)); echo $n >>lines || echo "write $n" >>errors; sleep 0.2; done; echo $n >written ) </dev/null >/dev/null 2>&1 &
( n=0; while [ ! -e stop ]; do
    while read -r file; do
      [ -e stop ] && break
      cat "$file" >/dev/null 2>>errors || echo "read $file" >>errors
      n=$((n+1)); echo $n >>reads
      [ $((n % 50)) = 0 ] && echo 3 >/proc/sys/vm/drop_caches
      sleep 0.1
    done <files
  done; echo done >read-end ) </dev/null >/dev/null 2>&1 &
`;

/** How many lines it wrote, and how many files it read; the node's shell must answer, too. */
async function counters(): Promise<{ lines: number; reads: number }> {
  const told = await platform.root.on(
    'alpha',
    'cd /persist && touch lines reads && tail -q -n 1 lines reads',
  );
  const [lines = 0, reads = 0] = told.trim().split('\n').map(Number);
  return { lines, reads };
}

async function loadBeyond({ lines, reads }: { lines: number; reads: number }, more: number): Promise<void> {
  await until('the load to go on', async () => {
    const now = await counters();
    return now.lines > lines + more && now.reads > reads + more;
  });
}

test('nfs and dnsmasq are killed under a node that reads cold files and writes to /persist', async () => {
  const { root } = platform;
  await root.on('alpha', LOAD);
  await loadBeyond({ lines: 0, reads: 0 }, 20);
  for (const program of ['nfs', 'dnsmasq', 'nfs', 'dnsmasq', 'nfs', 'dnsmasq']) {
    const before = await platform.pid(program);
    const killed = Date.now();
    await platform.kill(program);
    const back = (await platform.restarted(program, before)) - killed;
    assert.ok(back <= BACK_WITHIN, `${program} is back within ${BACK_WITHIN} ms, not ${back}`);
    await loadBeyond(await counters(), 10);
  }
  await root.on('alpha', 'touch /persist/stop');
  await until('the end of the load', async () => {
    const ends = await root.on('alpha', 'ls /persist/written /persist/read-end 2>/dev/null || true');
    return ends.trim().split('\n').length === 2;
  });
  assert.equal(await root.on('alpha', 'cat /persist/errors 2>/dev/null || true'), '', 'no I/O error');
  const written = Number(await root.on('alpha', 'cat /persist/written'));
  const numbers = (await root.on('alpha', 'cat /persist/lines')).trim().split('\n').map(Number);
  assert.deepEqual(
    numbers,
    Array.from({ length: written }, (_, index) => index + 1),
    'all writes are there, in order',
  );
  assert.equal(await root.on('alpha', 'dmesg | grep -i "i/o error" || true'), '');
});

test('a virtual machine that is killed is started again', async () => {
  const { root } = platform;
  const name = (await platform.status()).programs
    .map((program) => program.name)
    .find((name) => name.startsWith('vm-'));
  assert.ok(name, 'the virtual machine is among the programs');
  await root.on('alpha', 'echo kept >/persist/over-power-loss; echo lost >/root/over-power-loss');
  const bootId = await root.on('alpha', 'cat /proc/sys/kernel/random/boot_id');
  const before = await platform.pid(name);
  await platform.kill(name);
  await platform.restarted(name, before);
  await until('the node to be known as booting', async () => {
    const node = (await platform.node()).find(({ name }) => name === 'alpha');
    return node?.state !== 'booted';
  });
  await platform.booted('alpha');
  assert.notEqual(await root.on('alpha', 'cat /proc/sys/kernel/random/boot_id'), bootId);
  const left = 'cat /persist/over-power-loss; test -e /root/over-power-loss || echo gone';
  assert.equal(await root.on('alpha', left), 'kept\ngone\n');
});
