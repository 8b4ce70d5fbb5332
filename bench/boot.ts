/** Time and traffic of a boot: the product's ways, a local disk, and an NFSv4 root, in alternating runs of one machine. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '@walt/contract';
import { machineFiles } from '../packages/server/src/nodes/virtual/machine.ts';
import { run } from '../packages/server/src/platform/index.ts';
import { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { type BootTimes, type Subject, timeBoot } from './boot-times.ts';
import { delayRunning, type Link, limitRate, parseLink } from './link.ts';
import { exportTree, NFS_ADDRESS } from './nfs-export.ts';
import { benchOptions, progress, refuse } from './options.ts';
import type { ReferenceRoot } from './reference-init.ts';
import { referenceInitramfs } from './reference-initramfs.ts';
import { ReferenceMachine } from './reference-machine.ts';
import { makeDisk, makeVolume, unpackTree } from './reference-tree.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

interface WaltNode extends Subject {
  name: string;
  /** That runs it. */
  program: string;
}

type Way = 'walt' | 'hybrid' | ReferenceRoot;

const { runs, json, own } = benchOptions(5, ['link']);
const link = linkOf(own.link);
const roundTrips: number[] = [];
await using platform = await Platform.start();
const image = (await platform.root.json<Image[]>('image', 'show', '--all'))[0];
const release = image?.kernel;
if (!image || !release) throw new Error('the default image has no kernel');

progress('making the references: disk, NFS export');
const tree = await unpackTree(platform);
await using _nfs = await exportTree(platform, tree);
const references = {
  disk: await reference('disk'),
  diskAndNfs: await reference('diskAndNfs'),
  volume: await reference('volume'),
  nfs: await reference('nfs'),
  nfsTuned: await reference('nfsTuned'),
};
await ReferenceMachine.makeTap(platform, link);
progress('making the nodes');
await platform.boot('bench');
const nodes = {
  walt: await waltNode('bench', 1),
  // Behind a link, the image need not come to the disk first.
  hybrid: link ? undefined : await hybridNode('bench-disk', 2),
};

const NAMES: Record<Way, string> = {
  walt: 'WalT',
  hybrid: 'WalT in mode hybrid-volatile',
  disk: 'local disk',
  diskAndNfs: 'local disk and a mount by NFSv4',
  volume: "WalT's volume on a local disk",
  nfs: 'NFS root',
  nfsTuned: 'NFS root that asks once a day',
};
// A link makes no other difference between local disks.
const WAYS: readonly Way[] = link
  ? ['walt', 'disk', 'nfs', 'nfsTuned']
  : ['walt', 'hybrid', 'disk', 'diskAndNfs', 'volume', 'nfs', 'nfsTuned'];
const times = new Map<Way, BootTimes[]>(WAYS.map((way) => [way, []]));
// The first round only fills the caches of this machine.
for (let round = 0; round <= runs; round += 1) {
  for (const way of WAYS) {
    const node = way === 'walt' || way === 'hybrid' ? nodes[way] : undefined;
    const result = node ? await bootNode(node) : await bootReference(references[way as ReferenceRoot]);
    if (round > 0) times.get(way)?.push(result);
    const { total, kernel, initramfs, bytes } = result;
    progress(
      `${round > 0 ? `run ${round}` : 'warm-up'}, ${way}: ${total.toFixed(1)} s, from kernel start ${kernel.toFixed(1)} s (initramfs ${initramfs.toFixed(1)} s), ${(bytes / 1e6).toFixed(1)} MB`,
    );
  }
}

const of = (way: Way, value: (times: BootTimes) => number) => summarize((times.get(way) ?? []).map(value));
const row = (way: Way, what: string, unit: string, value: (times: BootTimes) => number) => ({
  ...{ what: `${NAMES[way]}, ${what}`, unit, ...of(way, value) },
});
const kernel = (way: Way) => of(way, (t) => t.kernel).median;
const moved = (way: Way) => (of(way, (t) => t.bytes / 1e6).median * 1e8) / image.size;
const hybridWays: Way[] = link ? [] : ['hybrid'];
conclude(
  {
    bench: link ? `boot over ${link.rate} Mbit/s and ${link.delay} ms` : 'boot',
    measures: [
      ...(['walt', 'disk', 'nfs'] as const).map((way) => row(way, 'power-on to SSH', 's', (t) => t.total)),
      ...WAYS.map((way) => row(way, 'kernel start to SSH', 's', (t) => t.kernel)),
      ...(['walt', ...hybridWays, 'disk'] as const).map((way) =>
        row(way, "kernel start to the image's init", 's', (t) => t.initramfs),
      ),
      row('walt', 'kernel and initramfs', 'MB', (t) => t.loaded / 1e6),
      ...(['walt', ...hybridWays, 'nfs'] as const).map((way) =>
        row(way, 'moved for the root', 'MB', (t) => t.bytes / 1e6),
      ),
      ...(link ? [{ what: 'round trip to the node', unit: 'ms', ...summarize(roundTrips) }] : []),
    ],
    bounds: [
      // Behind a link, the disk has what the node must fetch: that is told, not bounded.
      ...(link
        ? []
        : [
            {
              claim: 'from kernel start, WalT : local disk',
              value: kernel('walt') / kernel('disk'),
              limit: 1.05,
            },
            {
              claim: 'from kernel start, WalT in mode hybrid-volatile : local disk',
              value: kernel('hybrid') / kernel('disk'),
              limit: 1.1,
            },
            {
              claim: 'MB moved for the root in mode hybrid-volatile, per 100 MB of the image',
              value: moved('hybrid'),
              limit: 1,
            },
          ]),
      {
        claim: 'from kernel start, NFS root : WalT',
        value: kernel('nfs') / kernel('walt'),
        limit: 1.5,
        atLeast: true,
      },
      {
        claim: 'MB moved for the root, per 100 MB of the image',
        value: moved('walt'),
        limit: 6,
      },
    ],
  },
  json,
);

function linkOf(text: string | undefined): Link | undefined {
  try {
    return text === undefined ? undefined : parseLink(text);
  } catch (error) {
    return refuse(String(error));
  }
}

async function reference(root: ReferenceRoot): Promise<ReferenceMachine> {
  const initramfs = join(platform.folder, `initramfs-${root}`);
  await writeFile(initramfs, await referenceInitramfs(root, tree, String(release), platform.paths.busybox));
  const disk = join(platform.folder, `${root}.img`);
  if (root === 'disk' || root === 'diskAndNfs') await makeDisk(tree, disk);
  if (root === 'volume') await makeVolume(tree, disk);
  return ReferenceMachine.make(platform, root, {
    kernel: join(tree, 'boot', `vmlinuz-${release}`),
    initramfs,
    server: NFS_ADDRESS,
    link,
    ...(['disk', 'diskAndNfs', 'volume'].includes(root) && { disk }),
  });
}

async function bootReference(machine: ReferenceMachine): Promise<BootTimes> {
  try {
    return await timeBoot(machine);
  } finally {
    await machine.powerOff();
  }
}

/** A virtual node of the product's. Between its runs it is paused, so that it takes nothing from the others. */
async function bootNode(node: WaltNode): Promise<BootTimes> {
  const result = await timeBoot(node);
  await platform.booted(node.name);
  if (link) roundTrips.push(await roundTrip(node.ip));
  await pause(node.program);
  return result;
}

/** Milliseconds, the mean of twenty. */
async function roundTrip(ip: string): Promise<number> {
  const ping = ['ping', '-q', '-n', '-c', '20', '-i', '0.05', ip];
  const told = await run(['ip', 'netns', 'exec', platform.namespace, ...ping]);
  return Number(/= [\d.]+\/([\d.]+)\//.exec(told)?.[1]);
}

async function waltNode(name: string, id: number): Promise<WaltNode> {
  const ip = (await platform.node()).find((node) => node.name === name)?.ip ?? '';
  const { consoleLog, qmpSocket } = machineFiles(id, platform.paths);
  const program = `vm-${id}`;
  const tap = await platform.tapOf(program);
  if (link) await limitRate(platform.namespace, tap, link);
  await pause(program);
  return {
    ...{ name, program },
    ...{ namespace: platform.namespace, insider: await platform.pid('dnsmasq'), ip, tap, consoleLog },
    powerOn: async () => {
      const before = await platform.pid(program);
      process.kill(before, 'SIGCONT');
      await platform.root.ok('node', 'reboot', name, '--hard');
      if (!link) return;
      // Each boot is a new QEMU.
      await platform.restarted(program, before);
      await delayRunning(qmpSocket, link);
    },
  };
}

/** A node that has all of the image on a disk of its own. */
async function hybridNode(name: string, id: number): Promise<WaltNode> {
  await platform.root.ok('node', 'create', name, 'disks=2G[template=hybrid-boot-v]');
  await platform.booted(name);
  progress('copying the image to the disk of a node');
  await until(
    'the image on the disk',
    async () => (await platform.node()).some((node) => node.name === name && node.hybridDisk === 'complete'),
    600_000,
  );
  return waltNode(name, id);
}

async function pause(program: string): Promise<void> {
  process.kill(await platform.pid(program), 'SIGSTOP');
}
