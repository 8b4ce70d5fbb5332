/** Time and traffic of a boot: the product's way, a local disk, and an NFSv4 root, in alternating runs of one machine. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '@walt/contract';
import { machineFiles } from '../packages/server/src/nodes/virtual/machine.ts';
import { Platform } from '../test/platform.ts';
import { type BootTimes, type Subject, timeBoot } from './boot-times.ts';
import { exportTree, NFS_ADDRESS } from './nfs-export.ts';
import { benchOptions, progress } from './options.ts';
import type { ReferenceRoot } from './reference-init.ts';
import { referenceInitramfs } from './reference-initramfs.ts';
import { ReferenceMachine } from './reference-machine.ts';
import { makeDisk, makeVolume, unpackTree } from './reference-tree.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

type Way = 'walt' | ReferenceRoot;

const NODE = 'bench';
const { runs, json } = benchOptions(5);
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
await ReferenceMachine.makeTap(platform);
progress('making the node');
await platform.boot(NODE);
const node = await waltNode();

const WAYS = ['walt', 'disk', 'diskAndNfs', 'volume', 'nfs', 'nfsTuned'] as const satisfies readonly Way[];
const times: Record<Way, BootTimes[]> = forEachWay(() => []);
// The first round only fills the caches of this machine.
for (let run = 0; run <= runs; run += 1) {
  for (const way of WAYS) {
    const result = way === 'walt' ? await bootNode() : await bootReference(references[way]);
    if (run > 0) times[way].push(result);
    const { total, kernel, initramfs, bytes } = result;
    progress(
      `${run > 0 ? `run ${run}` : 'warm-up'}, ${way}: ${total.toFixed(1)} s, from kernel start ${kernel.toFixed(1)} s (initramfs ${initramfs.toFixed(1)} s), ${(bytes / 1e6).toFixed(1)} MB`,
    );
  }
}

const of = (way: Way, value: (times: BootTimes) => number) => summarize(times[way].map(value));
const kernel = forEachWay((way) => of(way, (t) => t.kernel));
const moved = of('walt', (t) => t.bytes / 1e6);
conclude(
  {
    bench: 'boot',
    measures: [
      { what: 'WalT, power-on to SSH', unit: 's', ...of('walt', (t) => t.total) },
      { what: 'local disk, power-on to SSH', unit: 's', ...of('disk', (t) => t.total) },
      { what: 'NFS root, power-on to SSH', unit: 's', ...of('nfs', (t) => t.total) },
      { what: 'WalT, kernel start to SSH', unit: 's', ...kernel.walt },
      { what: 'local disk, kernel start to SSH', unit: 's', ...kernel.disk },
      { what: 'local disk and a mount by NFSv4, kernel start to SSH', unit: 's', ...kernel.diskAndNfs },
      { what: "WalT's volume on a local disk, kernel start to SSH", unit: 's', ...kernel.volume },
      { what: 'NFS root, kernel start to SSH', unit: 's', ...kernel.nfs },
      { what: 'NFS root that asks once a day, kernel start to SSH', unit: 's', ...kernel.nfsTuned },
      { what: "WalT, kernel start to the image's init", unit: 's', ...of('walt', (t) => t.initramfs) },
      { what: "local disk, kernel start to the image's init", unit: 's', ...of('disk', (t) => t.initramfs) },
      { what: 'WalT, kernel and initramfs', unit: 'MB', ...of('walt', (t) => t.loaded / 1e6) },
      { what: 'WalT, moved for the root', unit: 'MB', ...moved },
      { what: 'NFS root, moved for the root', unit: 'MB', ...of('nfs', (t) => t.bytes / 1e6) },
    ],
    bounds: [
      {
        claim: 'from kernel start, WalT : local disk',
        value: kernel.walt.median / kernel.disk.median,
        limit: 1.05,
      },
      {
        claim: 'from kernel start, NFS root : WalT',
        value: kernel.nfs.median / kernel.walt.median,
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

function forEachWay<T>(make: (way: Way) => T): Record<Way, T> {
  return Object.fromEntries(WAYS.map((way) => [way, make(way)])) as Record<Way, T>;
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
  await pause();
  return result;
}

async function waltNode(): Promise<Subject> {
  const ip = (await platform.node()).find(({ name }) => name === NODE)?.ip ?? '';
  const { consoleLog } = machineFiles(1, platform.paths);
  const tap = await platform.tapOf('vm-1');
  await pause();
  return {
    ...{ namespace: platform.namespace, insider: await platform.pid('dnsmasq'), ip, tap, consoleLog },
    powerOn: async () => {
      process.kill(await platform.pid('vm-1'), 'SIGCONT');
      await platform.root.ok('node', 'reboot', NODE, '--hard');
    },
  };
}

async function pause(): Promise<void> {
  process.kill(await platform.pid('vm-1'), 'SIGSTOP');
}
