import type { Paths } from '../../platform/index.ts';
import { type Descriptor, plainManifest } from '../layers/index.ts';
import { Skopeo, Store } from '../store/index.ts';

/** As skopeo's transport `dir` has it (containers-transports(5)): each blob is a file named by the digits of its digest. */
export interface ArchivedImage {
  /** By its digest, the platform knows the image. */
  configuration: string;
  /** Plain tars, bottom first: their digests are the diff IDs. A size of 0: the store does not know it. */
  layers: Descriptor[];
  /** `layers`: the same, with their sizes. */
  manifest(layers: readonly Descriptor[]): string;
}

/** The image store for who is no server. Run it with the host's network. */
export class ImageArchive {
  readonly #store: Store;
  readonly #skopeo: Skopeo;

  private constructor(store: Store) {
    this.#store = store;
    this.#skopeo = new Skopeo((argv) => [...argv], store);
  }

  /** To read it, beside a server that may run. */
  static beside(paths: Paths): ImageArchive {
    return new ImageArchive(Store.beside(paths, (argv) => [...argv]));
  }

  /** To write into it, when no server runs; made if it is not there. */
  static async alone(paths: Paths): Promise<ImageArchive> {
    return new ImageArchive(await Store.open(paths, (argv) => [...argv]));
  }

  /** Throws when the store does not have all of it. */
  async describe(digest: string): Promise<ArchivedImage> {
    const stored = await this.#store.inspect(digest);
    const { manifest, configuration } = await this.#store.origin(digest);
    const layers = stored.layers.map(({ diffId, size }) => ({ digest: diffId, size: size ?? 0 }));
    const config = { digest, size: Buffer.byteLength(configuration) };
    return { configuration, layers, manifest: (known) => plainManifest(manifest, known, config) };
  }

  /** A layer as a tar. Throws when the store does not have it. */
  async layer(diffId: string): Promise<AsyncIterable<Buffer>> {
    const layer = (await this.#store.layers()).get(diffId);
    if (!layer) throw new Error(`the store has no layer ${diffId}`);
    return this.#store.layerTar(layer).stdout;
  }

  /** Whether it has that image: an image is noted when all of its layers are there. */
  async has(digest: string): Promise<boolean> {
    return (await this.#store.layersOf(digest)).length > 0;
  }

  /** Takes an image that lies in a folder, in the form of `ArchivedImage`. */
  bring(digest: string, folder: string): Promise<void> {
    return this.#skopeo.copyFolder({ digest, folder });
  }
}
