/** What nodes mount: /persist, and trees of images. */
import { isDeepStrictEqual } from 'node:util';
import { isReservedNodeName } from '@walt/contract';
import type { DigestRecord } from '../../images/index.ts';
import type { HostEntry, PersistExport } from '../../network/index.ts';
import { type StepOf, same } from './steps.ts';

export interface ExportSteps {
  setExports: { exports: PersistExport[]; trees: TreeWish[] };
}

/** What must be known of an image to export its tree. What else changes in it is no reason to do so again. */
export type TreeImage = Pick<DigestRecord, 'digest' | 'layers' | 'size'>;

/** An image's tree for one node, under all the paths that images made for WalT know. */
export interface TreeWish {
  image: TreeImage;
  ip: string;
  paths: readonly string[];
}

export interface ExportWish extends Pick<HostEntry, 'ip' | 'mac' | 'name'> {
  /** What it may mount as /persist: the image of its owner, and the one that its running boot has. */
  persist: readonly PersistExport[];
  /** The image whose tree it mounts; null when its running boot mounts none. */
  tree: TreeImage | null;
}

export interface ExportsSeen {
  /** As last applied; null when not known, as after a start. */
  exports: readonly PersistExport[] | null;
  trees: readonly TreeWish[] | null;
}

export function planExports(nodes: readonly ExportWish[], seen: ExportsSeen): StepOf<ExportSteps>[] {
  const exports = nodes.flatMap(({ persist }) => persist);
  const trees = nodes.flatMap((node) =>
    node.tree ? [{ image: node.tree, ip: node.ip, paths: treePaths(node) }] : [],
  );
  return same(exports, seen.exports, isExport) && same(trees, seen.trees, isDeepStrictEqual)
    ? []
    : [{ kind: 'setExports', exports, trees }];
}

function isExport(wanted: PersistExport, last: PersistExport): boolean {
  return wanted.id === last.id && wanted.ip === last.ip && wanted.file === last.file;
}

/** As the Python WalT names nodes' folders. */
function treePaths({ ip, mac, name }: ExportWish): string[] {
  // A name that an older server allowed may be another node's address.
  const keys = [ip, mac, mac.replaceAll(':', '-'), ...(isReservedNodeName(name) ? [] : [name])];
  return keys.map((key) => `/var/lib/walt/nodes/${key}/fs`);
}
