import type { Readable } from 'node:stream';
import type { FileKind, ImageWritten } from '@walt/contract';
import { type Caller, demand } from '../../access/index.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage } from './find.ts';

export interface PlaceInImage {
  image: string;
  path: string;
}

/** Files in images: everybody may read them in every image, its owner writes. */
export function fileCalls({ images, nodes }: CallDeps) {
  return {
    /** What is at that place, links followed. */
    async kind(caller: Caller, { image, path }: PlaceInImage): Promise<FileKind> {
      const record = await findImage(images, image, caller);
      return { kind: (await images.kindOfFile(record, path)) ?? null };
    },

    /** A tar; throws as `Images.readFiles`. */
    async read(caller: Caller, { image, path }: PlaceInImage): Promise<Readable> {
      return await images.readFiles(await findImage(images, image, caller), path);
    },

    /** Takes the tar only from who may write there; throws as `Images.writeFiles`. */
    async write(caller: Caller, { image, path }: PlaceInImage, tar: () => Readable): Promise<ImageWritten> {
      const record = await findImage(images, image, caller);
      demand('image.change', caller, record);
      const written = await images.writeFiles(caller.user, record, path, tar());
      const { changed: _, ...told } = await describeSaved(nodes, written, true);
      return told;
    },
  };
}
