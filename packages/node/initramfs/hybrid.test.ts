/** What init and agent do with a disk that anybody may have made: with a real file system, and busybox as nodes have it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attempt, run } from '../../server/src/platform/index.ts';

const SCRIPT = fileURLToPath(new URL('hybrid', import.meta.url));
const MEBI = 1024 * 1024;
const PLATFORM = 'a'.repeat(32);
const HOLDER = 'b'.repeat(32);
const IMAGE = 'd'.repeat(64);
const SPARE = 64 * MEBI;

/** The root of a node's initramfs, with a disk's file system mounted at /disk. */
let root: string;
let image: string;
const volumes = new Map<string, Buffer>();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'walt-hybrid-'));
  for (const name of ['bin', 'proc', 'sys', 'dev', 'disk', 'volumes']) await mkdir(join(root, name));
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  await copyFile(SCRIPT, join(root, 'hybrid'));
  image = `${root}.img`;
  await writeFile(image, '');
  await truncate(image, 120 * MEBI);
  await run(['mkfs.ext4', '-q', '-m', '0', image]);
  volumes.clear();
  for (const name of ['sha256-1.erofs', 'sha256-2.erofs']) await addVolume(name);
});
afterEach(async () => {
  await rm(image, { force: true });
  await rm(root, { recursive: true });
});

async function addVolume(name: string): Promise<void> {
  const bytes = randomBytes(3 * MEBI + 5);
  volumes.set(name, bytes);
  await writeFile(join(root, 'volumes', name), bytes);
}

const sha256 = (name: string) =>
  createHash('sha256')
    .update(volumes.get(name) ?? '')
    .digest('hex');
const sums = () => [...volumes].map(([name, { length }]) => `${name} ${length} ${sha256(name)}\n`);

/**
 * Runs `commands` on the node, after the disk was mounted and `prepare` has run on it; answers what it printed. All that is mounted
 * goes with its mount namespace.
 */
async function onNode(
  commands: string,
  { prepare = '', holder = HOLDER, options = 'rw' } = {},
): Promise<string> {
  await writeFile(join(root, 'sums'), sums().join(''));
  const script = `
    set -e
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -o loop,rw "$2" "$1/disk"
    cd "$1/disk"
    mkdir -p walt_hybrid
    cd walt_hybrid
    ${prepare}
    cd /
    mount -o remount,${options} "$1/disk"
    partition=$(findmnt -n -o SOURCE "$1/disk")
    exec chroot "$1" /bin/busybox sh -c '
      PATH=/bin
      for tool in mount umount stat dd mv mkdir rm head sha256sum cat ls; do
        [ -e /bin/$tool ] || /bin/busybox ln -s busybox /bin/$tool
      done
      hybrid="${PLATFORM} ${holder} ${IMAGE}" layers="${[...volumes.keys()].join(' ')}" partition=$1
      . /hybrid
      ${commands.replaceAll("'", `'\\''`)}' sh "$partition"`;
  const apart = ['unshare', '--mount', '--propagation', 'private', '--'];
  const { status, stdout, stderr } = await attempt([...apart, 'sh', '-c', script, 'sh', root, image]);
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

const FILL = 'open_disk && { find_volumes; fill_disk /sums; }; echo "$mode $disk"';
const LOOK = 'open_disk && find_volumes; echo "$mode $disk$held"';
const HAS_ALL = 'open_disk && find_volumes; has_all && echo all || echo not all';
const VOLUME = 'volumes/sha256-1.erofs';
const OTHER = ' sha256-2.erofs';

test('an empty folder is taken, filled, and holds all at the next boot', async () => {
  assert.equal(await onNode(FILL), 'hybrid-volatile complete\n');
  assert.equal(
    await onNode(`${LOOK}; sha256sum < $DISK/${VOLUME}`),
    `hybrid-volatile  sha256-1.erofs${OTHER}\n${sha256('sha256-1.erofs')}  -\n`,
  );
  assert.equal(await onNode(HAS_ALL), 'all\n');
  // What is whole is not read again.
  for (const name of volumes.keys()) await rm(join(root, 'volumes', name));
  assert.equal(await onNode(FILL, { prepare: 'touch .persistent' }), 'hybrid-persistent complete\n');
});

const broken: [what: string, prepare: string][] = [
  ['torn', `truncate -s 1M ${VOLUME}`],
  ['gone', `rm ${VOLUME}`],
  [
    'written to, with its time set back',
    // busybox tells times in seconds.
    `sleep 1.1; time=$(stat -c %y ${VOLUME}); printf x | dd of=${VOLUME} conv=notrunc; touch -d "$time" ${VOLUME}`,
  ],
  ['replaced by a copy', `cp -p ${VOLUME} copy; mv copy ${VOLUME}`],
  ['a link to elsewhere', `mv ${VOLUME} copy; ln -s ../copy ${VOLUME}`],
  ['a folder', `rm ${VOLUME}; mkdir -p ${VOLUME}/x`],
  ['a FIFO', `rm ${VOLUME}; mkfifo ${VOLUME}`],
];
for (const [what, prepare] of broken) {
  test(`a volume that is ${what} is not used, and is made whole`, async () => {
    await onNode(FILL);
    assert.equal(await onNode(LOOK, { prepare }), `hybrid-volatile ${OTHER}\n`);
    assert.equal(await onNode(HAS_ALL), 'not all\n');
    assert.equal(await onNode(FILL), 'hybrid-volatile complete\n');
    assert.equal(await onNode(`sha256sum < $DISK/${VOLUME}`), `${sha256('sha256-1.erofs')}  -\n`);
  });
}

test('the hash trees that a host has behind volumes are left out', async () => {
  for (const [name, content] of volumes)
    await writeFile(join(root, 'volumes', name), Buffer.concat([content, randomBytes(2 * MEBI)]));
  assert.equal(await onNode(FILL), 'hybrid-volatile complete\n');
  assert.equal(await onNode(HAS_ALL), 'all\n');
});

test('a copy that was cut off goes on where it ended', async () => {
  const name = 'sha256-1.erofs';
  const whole = volumes.get(name) ?? Buffer.alloc(0);
  await writeFile(join(root, 'part'), whole.subarray(0, 2 * MEBI + 7));
  // What is there already is not asked for: it would be wrong.
  await writeFile(
    join(root, 'volumes', name),
    Buffer.concat([randomBytes(2 * MEBI), whole.subarray(2 * MEBI)]),
  );
  const prepare = `cp "$1/part" part; echo ${name} > part-of`;
  assert.equal(await onNode(FILL, { prepare }), 'hybrid-volatile complete\n');
});

test('what does not become what it must be is not kept', async () => {
  await writeFile(join(root, 'volumes', 'sha256-2.erofs'), randomBytes(3 * MEBI + 5));
  assert.equal(await onNode(FILL), 'hybrid-volatile damaged\n');
  assert.equal(
    await onNode(`${LOOK}; ls $DISK/volumes`),
    'hybrid-volatile  sha256-1.erofs\nsha256-1.erofs\n',
  );
});

/** Leaves so many MiB for volumes. */
const leave = (mebi: number) => `fallocate -l $(($(stat -f -c '%a * %S' .) - ${SPARE + mebi * MEBI})) filler`;

test('a full disk has what fits', async () => {
  assert.equal(await onNode(FILL, { prepare: leave(5) }), 'hybrid-volatile full\n');
  assert.equal(await onNode(LOOK), 'hybrid-volatile  sha256-1.erofs\n');
});

test('a disk on which nothing can be made is full', async () => {
  // What was set aside for a file is free again once it is written.
  const fill =
    'for bytes in 64k 4k 1k; do dd if=/dev/zero of=filler$bytes bs=$bytes || sync -f .; done 2>/dev/null';
  assert.equal(await onNode(FILL, { prepare: fill }), ' full\n');
  await onNode(FILL, { prepare: 'rm filler*; touch .persistent' });
  // Its volumes can be read all the same.
  const look =
    'load_more_modules() { :; }; say() { :; }; find_disk() { :; }; look_at_disk; echo "$mode $disk$held"';
  assert.equal(await onNode(look, { prepare: fill }), `hybrid-volatile full sha256-1.erofs${OTHER}\n`);
});

test('what was not used for the longest time makes room, and nothing else does', async () => {
  await onNode(FILL, { prepare: 'echo mine > volumes.txt; mkdir volumes; echo mine > volumes/other' });
  volumes.clear();
  for (const name of ['sha256-3.erofs', 'sha256-4.erofs']) await addVolume(name);
  assert.equal(await onNode(FILL, { prepare: leave(5) }), 'hybrid-volatile complete\n');
  const names = ['other', 'sha256-1.erofs', 'sha256-3.erofs', 'sha256-4.erofs'];
  assert.equal(await onNode('ls $DISK/volumes; cat $DISK/volumes.txt'), `${names.join('\n')}\nmine\n`);
});

test('in other hands, what the node wrote is gone, and volumes are checked before they are used', async () => {
  const keep =
    'open_kept && echo secret > $kept/changes/note; mkdir -p $kept/changes/tmp $kept/changes/run/x $kept/changes/etc/walt';
  await onNode(`${FILL}; ${keep}`, { prepare: 'touch .persistent' });
  assert.equal(
    await onNode(`${LOOK}; open_kept && cat $kept/changes/note; ls $kept/changes $kept/changes/etc`),
    `hybrid-persistent  sha256-1.erofs${OTHER}\nsecret\n`.concat(
      '/disk/walt_hybrid/kept/',
      IMAGE,
      '/changes:\netc\nnote\n\n/disk/walt_hybrid/kept/',
      IMAGE,
      '/changes/etc:\n',
    ),
  );
  const holder = 'c'.repeat(32);
  assert.equal(await onNode(LOOK, { holder }), 'hybrid-persistent \n');
  for (const name of volumes.keys()) await rm(join(root, 'volumes', name));
  assert.equal(await onNode(`${FILL}; ls $DISK/kept`, { holder }), 'hybrid-persistent complete\n');
});

/** Mounts the image of the disk as the root, as init does. */
const MOUNT = `open_disk && find_volumes && open_kept
  for folder in layers image identity rw rw/changes; do mkdir -p /$folder; done
  for volume in $layers; do
    mkdir -p /layers/$volume && mount_from_disk $volume /layers/$volume || exit
    lower="$lower:/layers/$volume"
  done
  mount_kept || exit`;

test('volumes on the disk are mounted, and what was written above them is there again', async () => {
  const tree = join(root, 'tree');
  for (const [name, text] of [
    ['sha256-1.erofs', 'new'],
    ['sha256-2.erofs', 'old'],
  ] as const) {
    await mkdir(tree, { recursive: true });
    await writeFile(join(tree, 'of-both'), text);
    await writeFile(join(tree, text), text);
    await rm(join(root, 'volumes', name));
    await run(['mkfs.erofs', '--quiet', join(root, 'volumes', name), tree]);
    await rm(tree, { recursive: true });
    volumes.set(name, await readFile(join(root, 'volumes', name)));
  }
  const prepare = 'touch .persistent';
  assert.equal(await onNode(FILL, { prepare }), 'hybrid-persistent complete\n');
  const write = 'echo kept > /image/kept; rm /image/old; mkdir /image/tmp; echo gone > /image/tmp/gone';
  assert.equal(await onNode(`${MOUNT}; cd /image; cat of-both new old; ${write}`), 'newnewold');
  assert.equal(
    await onNode(`${MOUNT}; ls /image /rw/changes; cat /image/kept`),
    '/image:\nkept\nnew\nof-both\n\n/rw/changes:\nkept\nold\nkept\n',
  );
  // Another image begins as it is, and keeps its own.
  const other = 'image=other';
  assert.equal(await onNode(`${other}; ${MOUNT}; ls /image; echo > /image/its`), 'new\nof-both\nold\n');
  assert.equal(await onNode(`${MOUNT}; ls /image`), 'kept\nnew\nof-both\n');
  assert.equal(await onNode(`${other}; ${MOUNT}; ls /image`), 'its\nnew\nof-both\nold\n');
});

const refused: [what: string, prepare: string, expected: string][] = [
  ["another platform's", `echo ${'f'.repeat(32)} > platform`, 'foreign'],
  ['one whose mark is a folder with something in it', 'mkdir -p platform/x', ''],
  ['one whose mark is a FIFO', 'mkfifo platform', ''],
  ['one whose mark is endless', 'ln -s /dev/zero platform', ''],
  ['one with a huge mark', 'truncate -s 50M platform', ''],
  ['one whose volumes are a link', 'ln -s / volumes', 'unusable'],
  ['one whose volumes are a file', 'touch volumes', 'unusable'],
  ['one whose changes are a link to nowhere', 'ln -s nowhere kept', 'unusable'],
  ['one whose list is a FIFO', 'mkfifo list list.new holder', ''],
  ['one whose list is huge', 'truncate -s 50M list', ''],
  [
    'one whose list is a link',
    'ln -s /sums list; ln -s /sums list.new; ln -s /sums part; ln -s /sums part-of; ln -s /sums holder',
    '',
  ],
];
for (const [what, prepare, expected] of refused) {
  test(`a disk: ${what}`, async () => {
    const told = expected === '' ? 'hybrid-volatile complete' : ` ${expected}`;
    assert.equal(await onNode(`${FILL}; cat /sums`, { prepare }), `${told}\n${sums().join('')}`);
    // What is somebody's, stays as it was.
    if (expected === 'unusable') assert.match(await onNode('ls -A $DISK'), /^(volumes|kept)\n$/);
  });
}

test('a disk that cannot be written to', async () => {
  assert.equal(await onNode(FILL, { options: 'ro' }), ' read-only\n');
  await onNode(FILL);
  assert.equal(await onNode(FILL, { options: 'ro' }), ' read-only\n');
});

test("an image's changes are not looked for behind a link", async () => {
  const tell = 'open_disk; open_kept && echo yes || echo no';
  await onNode('open_disk');
  for (const prepare of [
    `ln -s / kept/${IMAGE}`,
    `rm kept/${IMAGE}; mkdir kept/${IMAGE}; ln -s /bin kept/${IMAGE}/changes`,
  ])
    assert.equal(await onNode(tell, { prepare }), 'no\n');
  const prepare = `cd kept/${IMAGE}; rm changes; mkdir changes; ln -s / changes/etc; ln -s /bin changes/tmp; ln -s /bin changes/run; mkdir -p "$1/walt"`;
  assert.equal(await onNode(`${tell}; ls -d /walt /bin`, { prepare }), 'yes\n/bin\n/walt\n');
});
