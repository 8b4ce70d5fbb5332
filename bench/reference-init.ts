/** The first process of the reference boots: the product's own init, with another way to its root. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout } from '../test/client.ts';

/** Where the product's init begins to act, after its functions. */
const START = '/bin/busybox mount -t proc proc /proc';

/** As fast as an installed system can be: no server is asked for anything, the disk is the root itself. */
const DISK = `
read_arguments
start_slow_modules
load_modules
start_network
wait "$slow_modules"
need mount -t ext4 -o noatime /dev/vda /image
`;

/** A tree that cannot be written to, with RAM above it. */
const layered = (mount: string) => `
read_arguments
start_slow_modules
load_modules
start_network
wait "$slow_modules"
mount -t tmpfs -o mode=755 rw /rw
mkdir /rw/changes /rw/work /layers/0
${mount} /layers/0
need mount -t overlay -o "lowerdir=/layers/0,upperdir=/rw/changes,workdir=/rw/work" root /image
`;

/** A network root: the tree itself on NFSv4. */
const nfs = (options: string) => layered(`mount_nfs ${options} "$server:/tree"`);

const END = `
need mount -t devtmpfs dev /image/dev
need mount -t proc proc /image/proc
need mount -t sysfs sys /image/sys
read -r up _ < /proc/uptime
say "reference is ready after $up s"
find_init
hand_over
`;

export type ReferenceRoot = 'disk' | 'diskAndNfs' | 'volume' | 'nfs' | 'nfsTuned';

const ROOTS: Record<ReferenceRoot, string> = {
  disk: DISK,
  // A node that has its root on a disk and its data on the server, as it has /persist.
  diskAndNfs: `${DISK}mount_nfs ro "$server:/tree" /image/persist\n`,
  // What WalT boots, without the network.
  volume: layered('need mount -t erofs -o ro /dev/vda'),
  // As mount(8) has it when nothing is said.
  nfs: nfs('ro'),
  // What WalT 10 sets: names and attributes are asked for once a day.
  nfsTuned: nfs('ro,nocto,actimeo=86400'),
};

/** Text of the init. Throws when the product's has changed so much that it does not fit any more. */
export async function referenceInit(root: ReferenceRoot): Promise<string> {
  const text = await readFile(join(checkout, 'packages/node/initramfs/init'), 'utf8');
  const start = text.indexOf(START);
  if (start === -1) throw new Error(`the product's init has no line ${JSON.stringify(START)}`);
  const mounts = `${START}\nmount -t devtmpfs dev /dev\nmount -t sysfs sys /sys\nfind_modprobe\n`;
  return `${text.slice(0, start)}${mounts}${ROOTS[root]}${END}`;
}
