import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestHex } from '@walt/contract';
import type { Report } from '../progress.ts';
import type { Skopeo, Store } from '../store/index.ts';
import type { DigestRecord } from '../types.ts';
import type { Committer } from './committer.ts';
import { type Draft, draftImage } from './image-draft.ts';
import type { Descriptor } from './oci-manifest.ts';

export interface LayerParts {
  store: Store;
  skopeo: Skopeo;
  committer: Committer;
}

export interface LayerTask {
  base: DigestRecord;
  /** `replace`: the new layer is all that there will be. */
  mode: 'add' | 'replace';
  createdBy: string;
  /** Default: now. */
  created?: Date;
  /** The layer as a tar; its bytes go to disk as they come. */
  tar: AsyncIterable<Buffer>;
  /** Called when the tar is complete; false: it changes nothing, and no image is made. */
  worthwhile?: () => boolean | Promise<boolean>;
  onBytes?: (done: number) => void;
  report: Report;
  signal?: AbortSignal | undefined;
  point: (record: DigestRecord) => Promise<void>;
}

/**
 * Makes an image of another one, whose name or hold must outlast this, and a layer of our own making, and points a name to it.
 * Not by a container and buildah: these lose access lists, most attributes and parts of seconds.
 * Undefined when it is not worthwhile. Until `point` has ended, nothing refers to the new image.
 */
export async function addLayer(parts: LayerParts, task: LayerTask): Promise<DigestRecord | undefined> {
  const { store, skopeo, committer } = parts;
  const {
    base,
    mode,
    createdBy,
    created = new Date(),
    tar,
    worthwhile,
    onBytes,
    report,
    signal,
    point,
  } = task;
  return store.withTemporary(async (folder) => {
    const layer = await writeLayer(folder, tar, onBytes);
    if (worthwhile && !(await worthwhile())) return undefined;
    report('Saving the change as a new layer');
    const origin = await store.origin(base.digest);
    const below = await describeLayers(store, base.layers);
    const draft = draftImage(origin, { mode, below, layer, created: created.toISOString(), createdBy });
    await writeImage(folder, draft);
    const { digest, layers } = draft;
    return committer.adoptNew({
      ...{ digest, base: base.digest, layers, report, point },
      bring: () => skopeo.copyFolder({ folder, digest, signal }),
    });
  });
}

/** Bytes that wait to be written while others are: each write is a walk to another thread and back. */
const WAITING = 1024 * 1024;

/** As skopeo's transport `dir` wants it (containers-transports(5)): each blob is a file named by the digits of its digest. */
async function writeLayer(
  folder: string,
  tar: AsyncIterable<Buffer>,
  onBytes: (done: number) => void = () => {},
): Promise<Descriptor> {
  const hash = createHash('sha256');
  let size = 0;
  const hashed = async function* () {
    for await (const piece of tar) {
      hash.update(piece);
      size += piece.length;
      onBytes(size);
      yield piece;
    }
  };
  const file = createWriteStream(join(folder, 'layer'), { flags: 'wx', highWaterMark: WAITING });
  await pipeline(hashed, file);
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

async function writeImage(folder: string, { manifest, configuration, digest, layers }: Draft): Promise<void> {
  await rename(join(folder, 'layer'), join(folder, digestHex(layers.at(-1) ?? '')));
  await writeFile(join(folder, digestHex(digest)), configuration);
  await writeFile(join(folder, 'manifest.json'), manifest);
  await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
}

/** The layers below lie in the store, where skopeo finds them by diff ID: their tars are needed nowhere. */
async function describeLayers(store: Store, diffIds: readonly string[]): Promise<Descriptor[]> {
  const present = await store.layers();
  return diffIds.map((digest) => ({ digest, size: present.get(digest)?.size ?? 0 }));
}
