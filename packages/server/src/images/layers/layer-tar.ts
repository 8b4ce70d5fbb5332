/** What is common to the tars that become layers (OCI image-spec layer.md). */
import { UserError } from '../../platform/index.ts';
import { textOf } from '../../trees/index.ts';
import { endOfTar, padding, readTar, type TarHeader, tarHeader } from './tar/index.ts';

/** How layers say that a name is deleted. */
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const DEFAULT_ACCESS_LIST = 'system.posix_acl_default';

/** Bytes of a name: mkfs.erofs 1.5 fails at 255, and a volume is made of each layer. */
const MAX_NAME = 254;

/** Folders on the way to a file: each is an open one while the server looks for changes. */
export const MAX_DEPTH = 500;
/** Bytes of a path: the kernel takes 4096, with that of the folder that it is in on the server. */
const MAX_PATH = 3500;
/** Bytes of what is told at the end of a layer: they are held in memory until then. */
const MAX_LATE = 128 * 1024 ** 2;
/** Characters of a path in a message. */
const MAX_SHOWN = 300;

/** Why no layer can hold a file with that path (Latin-1); undefined: it can. */
export function whyNotInLayer(path: string): string | undefined {
  const names = path.split('/').filter(Boolean);
  if (names.some((name) => name.startsWith(WHITEOUT))) {
    return `in an image, names that begin with "${WHITEOUT}" mean that a file is deleted`;
  }
  if (names.some((name) => name.length > MAX_NAME)) return `names in an image have at most ${MAX_NAME} bytes`;
  if (names.length > MAX_DEPTH || path.length > MAX_PATH) {
    return `paths in an image have at most ${MAX_DEPTH} folders and ${MAX_PATH} bytes`;
  }
  return undefined;
}

/** A sentence about the first of these paths (Latin-1) that no layer can hold. */
export function refusalOf(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const why = whyNotInLayer(path);
    if (why !== undefined) return `${JSON.stringify(shortened(textOf(path)))} cannot be saved: ${why}.`;
  }
  return undefined;
}

/** Throws UserError INVALID with that sentence. */
export function requireNamesForLayer(paths: readonly string[], hint: string): void {
  const refusal = refusalOf(paths);
  if (refusal !== undefined) throw new UserError('INVALID', refusal, hint);
}

function shortened(path: string): string {
  return path.length > MAX_SHOWN ? `${path.slice(0, MAX_SHOWN)}…` : path;
}

/** An entry that says: what lies below has no such name any more. `path`: below the root, without a slash in front. */
export function deletion(path: string): Buffer {
  const slash = path.lastIndexOf('/') + 1;
  return mark(`${path.slice(0, slash)}${WHITEOUT}${path.slice(slash)}`);
}

/** An entry that says: nothing of what lies below is in this folder any more. */
export function clearance(folder: string): Buffer {
  return mark(`${folder}/${OPAQUE}`);
}

function mark(path: string): Buffer {
  const attributes = new Map<string, string>();
  return tarHeader({
    ...{ path, type: 'file', mode: 0o600, uid: 0, gid: 0, size: 0, mtime: 0n, target: '', attributes },
  });
}

/**
 * Renders the headers of a layer. A folder with a default access list is told after all else: who unpacks the layer would else have
 * the kernel give that list to each file that is made in the folder, though that had none. Telling a folder twice is not an
 * option: containers/storage takes each path once.
 */
export class LayerHeaders {
  readonly #late: Buffer[] = [];
  #bytes = 0;

  /** Throws UserError INVALID when too much waits for the end. */
  render(header: TarHeader): Buffer {
    const blocks = tarHeader(header);
    if (!header.attributes.has(DEFAULT_ACCESS_LIST)) return blocks;
    this.#bytes += blocks.length;
    if (this.#bytes > MAX_LATE) throw tooManyLists();
    this.#late.push(blocks);
    return Buffer.alloc(0);
  }

  /** What is left to say, and the end of the archive. */
  end(): Buffer {
    return Buffer.concat([...this.#late, endOfTar()]);
  }
}

function tooManyLists(): UserError {
  return new UserError(
    'INVALID',
    `Folders with default access lists are told by more than ${MAX_LATE} bytes, with their names and attributes.`,
    'Remove these lists where nobody needs them: setfacl -R -k FOLDER',
  );
}

/** Makes a layer of the archive of a tree. Throws UserError INVALID for what no layer can hold. */
export async function* layerOf(tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const headers = new LayerHeaders();
  for await (const { header, content } of readTar(tar, { special: true })) {
    requireNamesForLayer([header.path], 'Rename it first, in: walt image shell');
    yield headers.render(header);
    yield* content;
    yield padding(header.size);
  }
  yield headers.end();
}
