/** One platform for several test files, which need nothing of their own: whoever leaves it last removes it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Platform } from './platform.ts';
import { until } from './until.ts';

let users = 0;
let shared: Promise<Platform> | undefined;

/** With the default image. What a test leaves there must not disturb the others: names are its own. */
export function usePlatform(): Promise<Platform> {
  users += 1;
  shared ??= Platform.start();
  return shared;
}

export async function leavePlatform(): Promise<void> {
  users -= 1;
  if (users > 0) return;
  const last = shared;
  shared = undefined;
  await (await last)?.close();
}

/** A disk from which a node boots and forgets what it writes, in the setting `disks`. */
export const HYBRID_DISK = '1G[template=hybrid-boot-v]';

/** Milliseconds that it may take to bring an image to the disk of an emulated machine. */
const COPY_LIMIT = 900_000;

/** Waits until a node has its image on its disk. */
export async function copied(platform: Platform, node: string): Promise<void> {
  const hasAll = async () =>
    (await platform.node()).some(({ name, hybridDisk }) => name === node && hybridDisk === 'complete');
  await until(`the image on the disk of ${node}`, hasAll, COPY_LIMIT);
}

/** Makes those of these nodes that are not there yet, and waits until all have booted. */
export async function haveNodes(platform: Platform, ...names: string[]): Promise<void> {
  for (const name of await missing(platform, names)) await platform.root.ok('node', 'create', name);
  await platform.booted(...names);
}

/** What a node loads that is only to be there: iPXE waits. */
const IDLE: Record<string, string> = {
  'start.ipxe': '#!ipxe\nsleep 1000000\n',
  Dockerfile: `FROM scratch
LABEL walt.node.models=pc-x86-64
COPY start.ipxe /boot/pc-x86-64/
COPY --chmod=755 start.ipxe /sbin/init
`,
};

/** Makes those of these nodes that are not there yet. They never boot, so that they take no CPU from the tests. */
export async function haveIdleNodes(platform: Platform, ...names: string[]): Promise<void> {
  const { root } = platform;
  const sources = join(root.home, 'idle');
  if ((await mkdir(sources, { recursive: true })) !== undefined) {
    for (const [name, text] of Object.entries(IDLE)) await writeFile(join(sources, name), text);
    await root.ok('image', 'build', 'idle', '--from-dir', sources);
  }
  for (const name of await missing(platform, names)) await root.ok('node', 'create', name, '--image', 'idle');
}

async function missing(platform: Platform, names: string[]): Promise<string[]> {
  const there = (await platform.node()).map(({ name }) => name);
  return names.filter((name) => !there.includes(name));
}
