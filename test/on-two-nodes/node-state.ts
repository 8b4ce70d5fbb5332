/** What a node keeps and what it forgets, and whose it is: two nodes of one image. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BOOT_STEPS, type ImageDetails, type NodeBoot } from '@walt/contract';
import { imageBootFolder } from '../../packages/server/src/boot/boot-files.ts';
import { volumeName } from '../../packages/server/src/images/index.ts';
import { shapeWords } from '../../packages/server/src/network/node-networks/shape.ts';
import { answers, dial, run } from '../../packages/server/src/platform/index.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { copied, HYBRID_DISK, haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { TREE_LISTING } from '../tree-listing.ts';
import { until } from '../until.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha', 'beta');
});
after(leavePlatform);

async function reboot(...nodes: string[]): Promise<void> {
  await platform.root.ok('node', 'reboot', nodes.join(','));
  await platform.booted(...nodes);
}

async function sha256(file: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(file))
    .digest('hex')}`;
}

/** What a node has mounted as /persist: `SERVER:/persist/ID`. */
async function persistSource(node: string): Promise<string> {
  return (await platform.root.on(node, 'findmnt -n -o SOURCE /persist')).trim();
}

test('a reboot undoes every change, but for /persist', async () => {
  const { root } = platform;
  await root.on(
    'alpha',
    'echo new >/root/new && rm /etc/debian_version && echo changed >/etc/issue && mkdir /srv/folder',
  );
  await root.on(
    'alpha',
    'mkdir -p /persist/kept && echo 42 >/persist/kept/result && chown 1234:4321 /persist/kept/result && chmod 640 /persist/kept/result',
  );
  assert.match(await root.ok('node', 'config', 'alpha', 'netsetup=NAT'), /reboot/);
  const asked = await root.ok('node', 'config', 'beta', `disks=1G[template=ext4],2G,${HYBRID_DISK}`);
  assert.match(asked, /Reboot to apply it: `walt node reboot beta`\./);
  await root.ok('node', 'config', 'alpha,beta', 'networks=walt-net,home-net[bw=100Mbps]');
  // Both: what tests before this one wrote is gone, too.
  await reboot('alpha', 'beta');

  const gone = await root.on(
    'alpha',
    'ls /root/new /srv/folder 2>&1; cat /etc/issue; test -s /etc/debian_version',
  );
  assert.match(gone, /cannot access '\/root\/new'/);
  assert.match(gone, /cannot access '\/srv\/folder'/);
  assert.doesNotMatch(gone, /^changed$/m);
  const kept = await root.on('alpha', 'cat /persist/kept/result; stat -c "%u:%g %a" /persist/kept/result');
  assert.equal(kept, '42\n1234:4321 640\n');
});

test('what a node ran is remembered, and how long each step of its boot took', async () => {
  const { root, paths } = platform;
  const [last, ...others] = await root.json<NodeBoot[]>('node', 'log', 'alpha');
  assert.ok(last?.digest);
  assert.deepEqual([last.cause, last.user, last.state, last.attempt], ['reboot', 'root', 'booted', 1]);
  assert.deepEqual([others.at(-1)?.cause, others.at(-1)?.user], ['create', 'root']);
  assert.deepEqual(
    last.steps.map(({ step }) => step),
    BOOT_STEPS.filter((step) => step !== 'kexec'),
    'all that a virtual node takes are seen, each after the one before',
  );
  const folder = imageBootFolder(paths, last.digest);
  assert.equal(last.kernel, await sha256(join(folder, 'vmlinuz-virtual')));
  const [platformLayer = ''] = (await readdir(paths.volumes)).filter((name) =>
    /^platform-\w+\.erofs$/.test(name),
  );
  assert.equal(last.platform, await sha256(join(paths.volumes, platformLayer)));
  assert.equal(last.initramfs, others.at(-1)?.initramfs, 'what only one boot must know is no part of it');
  assert.match(
    await root.ok('node', 'log', 'alpha', '-n', '1'),
    /booted after \d.*\n {2}root ordered a reboot\n/,
  );
});

test('a node with netsetup=NAT has a way out while it is set, and no other node has', async () => {
  const { root } = platform;
  const routes = (node: string) => root.on(node, 'ip -4 route show default; ip -6 route show default');
  const gateways = async () => {
    const { programs } = await root.json<{ programs: { name: string }[] }>('advanced', 'server-status');
    return programs.filter(({ name }) => name.startsWith('gateway')).length;
  };
  assert.match((await routes('alpha')).trim(), /^default via 10\.\S+ dev eth0/);
  assert.equal((await routes('beta')).trim(), '');
  assert.notEqual(await gateways(), 0);
  await root.ok('node', 'config', 'alpha', 'netsetup=default');
  await until('no gateway, since nobody needs it', async () => (await gateways()) === 0);
});

test('a node has the disks that were set, each with what its template says', async () => {
  const { root } = platform;
  assert.equal(
    await root.on('beta', 'lsblk --bytes --noheadings --raw --output NAME,SIZE,TYPE /dev/vda /dev/vdb'),
    'vda 1000000000 disk\nvda1 998951424 part\nvdb 2000000000 disk\n',
  );
  await root.on(
    'beta',
    'mount /dev/vda1 /mnt && echo kept >/mnt/file && echo raw >/dev/vdb && umount /mnt && sync',
  );
});

/** Links of the platform that lead to networks beside walt-net. */
async function otherLinks(): Promise<string[]> {
  const shown = await run(['ip', '-netns', platform.namespace, '-json', 'link', 'show']);
  const names = (JSON.parse(shown) as { ifname: string }[]).map(({ ifname }) => ifname);
  return names.filter((name) => /^n-|^vm\d+\./.test(name)).sort();
}

test('nodes reach each other on a network of their own, where the server is not, also when that was killed', async () => {
  const { root } = platform;
  const addresses = { alpha: '192.168.7.1', beta: '192.168.7.2' };
  for (const [node, address] of Object.entries(addresses)) {
    const before = await root.on(node, 'ip -brief address show dev eth1');
    assert.match(before, /^eth1 +DOWN *$/m, 'it asked for no address there');
    await root.on(node, `ip address add ${address}/24 dev eth1 && ip link set eth1 up`);
  }
  const ping = `ping -c 3 -W 20 ${addresses.beta}`;
  await root.on('alpha', ping);
  const server = (await persistSource('alpha')).split(':')[0];
  const asked = await root.on('alpha', `ping -c 1 -W 1 -I eth1 ${server}; ip neighbour show dev eth1`);
  assert.match(asked, /^192\.168\.7\.2 lladdr 06:/m);
  assert.doesNotMatch(asked, new RegExp(`^${server} lladdr`, 'm'));
  assert.equal((await otherLinks()).length, 3);
  await platform.crash();
  await root.on('alpha', ping);
});

test('a port of the server machine leads to a node while that is set', async () => {
  const { root } = platform;
  // Below those that the kernel gives to connections (ip(7), ip_local_port_range).
  const port = 10_000 + (process.pid % 20_000);
  const free = createServer().listen(port);
  await once(free, 'listening');
  const set = `expose=22:${port}`;
  assert.match(
    (await root.walt('node', 'config', 'alpha', set)).stderr,
    /Port \d+ of the server machine is in use/,
  );
  free.close();
  await once(free, 'close');
  assert.doesNotMatch(await root.ok('node', 'config', 'alpha', set), /[Rr]eboot/);
  const ssh = await dial({ host: '127.0.0.1', port });
  assert.match(String(await once(ssh, 'data')), /^SSH-2\.0-/);
  const closed = once(ssh, 'close');
  await root.ok('node', 'config', 'alpha', 'expose=default');
  await closed;
  assert.equal(await answers({ host: '127.0.0.1', port }), false);
});

test('Debian’s kernel delays frames by the words that a server with such a kernel uses', async () => {
  const words = shapeWords({ latency: 50_000, bandwidth: 1e9 })?.join(' ');
  const answer = await platform.root.on(
    'alpha',
    `tc qdisc replace dev lo root ${words} && ping -c 2 127.0.0.1; tc qdisc delete dev lo root`,
  );
  const [, least] = /= ([\d.]+)\//.exec(answer) ?? [];
  // There and back.
  assert.ok(Number(least) >= 100, answer);
});

test('what the first boot read of a volume is known, for the next ones to read ahead', async () => {
  const { reads } = platform.paths;
  const { stack } = await platform.root.json<ImageDetails>('image', 'show', DEFAULT_IMAGE);
  const wanted = stack.map(({ digest }) => `${volumeName(digest)}.json`);
  const known = async () => new Set(await readdir(reads).catch((): string[] => []));
  // It is told after the node has booted.
  await until('the reads of all volumes', async () => (await known()).isSupersetOf(new Set(wanted)));
  const ranges = await Promise.all(
    wanted.map(
      async (name): Promise<[number, number][]> => JSON.parse(await readFile(join(reads, name), 'utf8')),
    ),
  );
  const kibibytes = ranges.flat().reduce((sum, [, length]) => sum + length, 0);
  assert.ok(kibibytes > 2048, `${kibibytes} KiB`);
});

test("no node sees another's /persist, nor can mount it", async () => {
  const { root } = platform;
  await root.on('alpha', 'echo secret >/persist/of-alpha');
  assert.equal(await root.on('beta', 'find /persist -name of-alpha'), '');

  const [alphas, betas] = [await persistSource('alpha'), await persistSource('beta')];
  assert.notEqual(alphas, betas);
  const mount = (source: string) =>
    root.walt(
      'node',
      'run',
      'beta',
      '--',
      `mkdir -p /run/try && mount -t nfs4 -o vers=4.2,proto=tcp,addr=${source.split(':')[0]},soft,retrans=1,timeo=50 ${source} /run/try && ls /run/try && umount /run/try`,
    );
  const other = await mount(alphas);
  assert.notEqual(other.status, 0, 'the mount is refused');
  assert.doesNotMatch(other.stdout, /of-alpha/);
  // The same command with the node's own folder works, so it was refused for what it asked.
  const own = await mount(betas);
  assert.equal(own.status, 0, own.stderr);
  assert.match(await root.on('alpha', 'cat /persist/of-alpha'), /secret/);
});

test('nodes cannot write to the volumes that others boot from', async () => {
  const { root } = platform;
  const server = (await persistSource('beta')).split(':')[0];
  const { status, stdout } = await root.walt(
    ...['node', 'run', 'beta', '--'],
    `mkdir -p /run/volumes && mount -t nfs4 -o vers=4.2,proto=tcp,rw,addr=${server} ${server}:/volumes /run/volumes && ls /run/volumes && touch /run/volumes/x`,
  );
  assert.match(stdout, /sha256-[0-9a-f]{64}\.erofs/, 'the volumes can be seen');
  assert.notEqual(status, 0, 'they cannot be written');
  await root.on('beta', 'umount /run/volumes');
});

test('nodes of one digest have the same tree', async () => {
  const { root } = platform;
  const names = ['alpha', 'beta'];
  const nodes = (await platform.node()).filter(({ name }) => names.includes(name));
  assert.equal(new Set(nodes.map(({ running }) => running)).size, 1, 'both run one digest');
  const listings = await Promise.all(
    names.map(async (name) => (await root.on(name, TREE_LISTING)).split('\n')),
  );
  const [first, second] = listings.map((lines) => new Set(lines));
  assert.ok(first && second && first.size > 5_000, 'the listing is that of a whole system');
  const difference = {
    alpha: [...first].filter((line) => !second.has(line)),
    beta: [...second].filter((line) => !first.has(line)),
  };
  assert.deepEqual(difference, { alpha: [], beta: [] });
});

test('a change of an image disturbs no running node, and is there after its reboot', async () => {
  const { root } = platform;
  const file = join(platform.folder, 'motd');
  await writeFile(file, 'made in the image\n');
  await root.ok('image', 'cp', file, `${DEFAULT_IMAGE}:/etc/from-image`);

  const before = (await platform.node()).find(({ name }) => name === 'beta');
  assert.equal(before?.state, 'booted', 'the node goes on');
  assert.equal(before.current, false, 'and is known to run the older digest');
  assert.equal(await root.on('beta', 'ls /etc | grep from-image || true'), '');

  // What needs a reboot of its own to be seen is seen here, too.
  const disks = `disks=3G[template=ext4],2G,${HYBRID_DISK}`;
  // That reboot is also one from its third disk, at which hybrid-boot.ts looks: a second attempt would leave the disk out.
  await root.ok('node', 'config', 'beta', disks, 'mount.persist=false', 'boot.timeout=none');
  await copied(platform, 'beta');
  await root.ok('node', 'config', 'alpha,beta', 'networks=default');
  await root.ok('node', 'config', 'beta', 'logs.journal=true', 'logs.netconsole=true');
  await reboot('beta');
  assert.equal(await root.on('beta', 'cat /etc/from-image'), 'made in the image\n');
  const after = (await platform.node()).find(({ name }) => name === 'beta');
  assert.equal(after?.current, true);
  assert.notEqual(after.running, before.running);
});

test('its disks are there after that reboot, larger where that was set; its /persist is not, where that was', async () => {
  const { root } = platform;
  assert.equal(
    await root.on(
      'beta',
      'blockdev --getsize64 /dev/vda; mount /dev/vda1 /mnt; cat /mnt/file; head -n 1 /dev/vdb',
    ),
    '3000000000\nkept\nraw\n',
  );
  assert.equal(await root.on('beta', 'findmnt --noheadings /persist || echo none'), 'none\n');
});

test('since that reboot, its journal and what its kernel says are streams of logs, from the beginning', async () => {
  const { root } = platform;
  const wait = async (stream: string, words: string) => {
    const args = [
      '--issuers',
      'beta',
      '--streams',
      `^${stream}$`,
      '--time-margin',
      '3600',
      '--timeout',
      '5m',
    ];
    return await root.ok('log', 'wait', words, ...args, '--format', '{line}');
  };
  assert.match(
    await wait('journal', '^systemd\\[1\\]: .* running in system mode'),
    /^systemd\[1\]: systemd /,
  );
  assert.match(await wait('netconsole', 'Linux version '), /Linux version /);
  await root.on('beta', "logger --tag experiment 'into the journal'; echo '<2>of the kernel' > /dev/kmsg");
  assert.equal(
    (await wait('journal', '^experiment.*into the journal$')).replace(/\[\d+\]/, ''),
    'experiment: into the journal\n',
  );
  assert.match(await wait('netconsole', 'of the kernel$'), /of the kernel\n$/);
});

test('a node is no more on a network that it left before that reboot; who has not rebooted is', async () => {
  assert.equal(await platform.root.on('beta', 'ls -d /sys/class/net/eth*'), '/sys/class/net/eth0\n');
  await until('the end of its tap', async () => (await otherLinks()).length === 2);
  assert.match(await platform.root.on('alpha', 'ip -brief address show dev eth1'), /192\.168\.7\.1/);
});

test('a disk is not lost without a question', async () => {
  const { root } = platform;
  for (const change of [
    ['config', 'beta', 'disks=none'],
    ['config', 'beta', 'disks=1G[template=ext4],2G'],
    ['remove', 'beta'],
  ]) {
    const { status, stderr } = await root.walt('node', ...change);
    assert.equal(status, 1);
    assert.match(stderr, /disk 1 of beta \(3 GB, \d+ MB in use\)/);
  }
  assert.equal(await root.on('beta', 'head -n 1 /dev/vdb'), 'raw\n');
});
