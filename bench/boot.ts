/** Time and traffic of a boot: the product's way, a local disk, and an NFSv4 root, in alternating runs of one machine. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '@walt/contract';
import { machineFiles } from '../packages/server/src/nodes/virtual/machine.ts';
import { run } from '../packages/server/src/platform/index.ts';
import { Platform } from '../test/platform.ts';
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

type Way = 'walt' | ReferenceRoot;

const NODE = 'bench';
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
progress('making the node');
await platform.boot(NODE);
const node = await waltNode();

const NAMES: Record<Way, string> = {
  walt: 'WalT',
  disk: 'local disk',
  diskAndNfs: 'local disk and a mount by NFSv4',
  volume: "WalT's volume on a local disk",
  nfs: 'NFS root',
  nfsTuned: 'NFS root that asks once a day',
};
// A link makes no other difference between local disks.
const WAYS: readonly Way[] = link
  ? ['walt', 'disk', 'nfs', 'nfsTuned']
  : ['walt', 'disk', 'diskAndNfs', 'volume', 'nfs', 'nfsTuned'];
const times = new Map<Way, BootTimes[]>(WAYS.map((way) => [way, []]));
// The first round only fills the caches of this machine.
for (let round = 0; round <= runs; round += 1) {
  for (const way of WAYS) {
    const result = way === 'walt' ? await bootNode() : await bootReference(references[way]);
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
const moved = of('walt', (t) => t.bytes / 1e6);
conclude(
  {
    bench: link ? `boot over ${link.rate} Mbit/s and ${link.delay} ms` : 'boot',
    measures: [
      ...(['walt', 'disk', 'nfs'] as const).map((way) => row(way, 'power-on to SSH', 's', (t) => t.total)),
      ...WAYS.map((way) => row(way, 'kernel start to SSH', 's', (t) => t.kernel)),
      ...(['walt', 'disk'] as const).map((way) =>
        row(way, "kernel start to the image's init", 's', (t) => t.initramfs),
      ),
      row('walt', 'kernel and initramfs', 'MB', (t) => t.loaded / 1e6),
      ...(['walt', 'nfs'] as const).map((way) => row(way, 'moved for the root', 'MB', (t) => t.bytes / 1e6)),
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
          ]),
      {
        claim: 'from kernel start, NFS root : WalT',
        value: kernel('nfs') / kernel('walt'),
        limit: 1.5,
        atLeast: true,
      },
      {
        claim: 'MB moved for the root, per 100 MB of the image',
        value: (moved.median * 1e8) / image.size,
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

/** The product's own virtual node. Between its runs it is paused, so that it takes nothing from the others. */
async function bootNode(): Promise<BootTimes> {
  const result = await timeBoot(node);
  await platform.booted(NODE);
  if (link) roundTrips.push(await roundTrip());
  await pause();
  return result;
}

/** Milliseconds, the mean of twenty. */
async function roundTrip(): Promise<number> {
  const ping = ['ping', '-q', '-n', '-c', '20', '-i', '0.05', node.ip];
  const told = await run(['ip', 'netns', 'exec', platform.namespace, ...ping]);
  return Number(/= [\d.]+\/([\d.]+)\//.exec(told)?.[1]);
}

async function waltNode(): Promise<Subject> {
  const ip = (await platform.node()).find(({ name }) => name === NODE)?.ip ?? '';
  const { consoleLog, qmpSocket } = machineFiles(1, platform.paths);
  const tap = await platform.tapOf('vm-1');
  if (link) await limitRate(platform.namespace, tap, link);
  await pause();
  return {
    ...{ namespace: platform.namespace, insider: await platform.pid('dnsmasq'), ip, tap, consoleLog },
    powerOn: async () => {
      const before = await platform.pid('vm-1');
      process.kill(before, 'SIGCONT');
      await platform.root.ok('node', 'reboot', NODE, '--hard');
      if (!link) return;
      // Each boot is a new QEMU.
      await platform.restarted('vm-1', before);
      await delayRunning(qmpSocket, link);
    },
  };
}

async function pause(): Promise<void> {
  process.kill(await platform.pid('vm-1'), 'SIGSTOP');
}
