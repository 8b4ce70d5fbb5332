/** What was sent, beside what the image has in its place: as `judge` wants it. */
import { Folder, rawOf } from '../../trees/index.ts';
import { type Entry, type Facts, readAttributes, readFacts } from '../saves/index.ts';
import { originOf, type SentFile } from './sent-tree.ts';

/** A root as the initramfs makes it: what differs from that, its user did. */
const ROOT: Facts = {
  ...{ type: 'folder', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0n, links: 1, device: 0 },
  attributes: new Map(),
};

export interface SentEntries {
  root: Entry;
  /** Devices that the image has not: a kernel makes its own, and images hold none that a user of a node made up. */
  devices: string[];
}

/** `image`: where its tree is mounted. */
export async function entriesOf(root: SentFile, image: string): Promise<SentEntries> {
  const devices: string[] = [];
  await using below = await Folder.open(image);
  const entry = { path: '', upper: factsOf(root), lower: ROOT, children: [] as Entry[] };
  for (const child of root.children) entry.children.push(await entryOf(child, below, devices));
  await addAttributes(image, entry);
  return { root: { ...entry, lowerNames: await below.names() }, devices };
}

async function entryOf(sent: SentFile, below: Folder | undefined, devices: string[]): Promise<Entry> {
  const { path } = sent;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const lower = await (below && readFacts(below, name));
  const own = factsOf(sent);
  const isDevice = own.type === 'other' && own.device !== 0;
  if (isDevice && !(lower?.type === 'other' && lower.device === own.device)) {
    devices.push(path);
    own.type = 'socket';
  }
  const entry: Entry = {
    path,
    upper: own,
    ...(lower && { lower }),
    children: [],
    sameContent: sent.sameContent,
  };
  if (own.type !== 'folder') return entry;
  await using folder = lower?.type === 'folder' ? await below?.folder(name) : undefined;
  for (const child of sent.children) entry.children.push(await entryOf(child, folder, devices));
  return { ...entry, ...(folder && { lowerNames: await folder.names() }) };
}

/** As lstat(2) would tell it there. */
function factsOf(sent: SentFile): Facts {
  const origin = originOf(sent);
  const { type, mode, uid, gid, size, mtime, target, attributes, device } = origin.header;
  const number = device ? deviceNumber(device) : 0;
  return {
    ...{ mode, uid, gid, size, mtime, links: origin.names, device: number },
    type: typeOf(type, number),
    ...(type === 'link' && { target }),
    attributes: new Map([...attributes].map(([name, value]) => [name, hex(value)])),
  };
}

function typeOf(type: SentFile['header']['type'], device: number): Facts['type'] {
  if (type === 'file' || type === 'folder' || type === 'link') return type;
  return type === 'char-device' && device === 0 ? 'whiteout' : 'other';
}

/** As getfattr tells values. */
function hex(value: string): string {
  return value === '' ? '' : `0x${Buffer.from(value, 'latin1').toString('hex')}`;
}

/** makedev(3), as the kernel packs it for stat(2). */
function deviceNumber({ major, minor }: { major: number; minor: number }): number {
  return Number(
    (BigInt(minor) & 0xffn) | ((BigInt(major) & 0xfffn) << 8n) | ((BigInt(minor) & ~0xffn) << 12n),
  );
}

/** What the image's files have; all in one go, since a program reads them. */
async function addAttributes(image: string, root: Entry): Promise<void> {
  const top = rawOf(image);
  const all = [...flatten(root.children)].filter(({ lower }) => lower !== undefined);
  const found = await readAttributes(all.map(({ path }) => top + path));
  for (const entry of all) {
    const attributes = found.get(top + entry.path);
    if (entry.lower && attributes) entry.lower = { ...entry.lower, attributes };
  }
}

function* flatten(entries: readonly Entry[]): Generator<Entry> {
  for (const entry of entries) {
    yield entry;
    yield* flatten(entry.children);
  }
}
