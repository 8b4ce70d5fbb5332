/** Builds of both kinds, in memory. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Images } from '../src/images/index.ts';
import type { MemoryImages } from './memory-services.ts';

type CrossBuilds = Images['cross'];
type ImageBuilds = Images['builds'];
type PreparedImageBuild = Awaited<ReturnType<ImageBuilds['prepare']>>;

/** Builds that print their command, and end at once. */
export class MemoryBuilds implements Pick<CrossBuilds, 'prepare'> {
  /** What the last build was sent. */
  received: Buffer | undefined;

  prepare: CrossBuilds['prepare'] = async function* (this: MemoryBuilds, request) {
    yield { type: 'progress' as const, step: 'Unpacking the compiler' };
    return {
      ownLibrary: true,
      run: async (client) => {
        this.received = await buffer(client.input());
        const bytes = Buffer.from(request.command.join(' '));
        await client.printed(Readable.from([{ to: 'stdout' as const, bytes }]));
        client.tell({ type: 'ended', status: 3 });
        client.tell({ type: 'deleted', paths: ['old'] });
        await client.files(Readable.from([Buffer.from('tar')]));
        return { status: 3, saved: undefined };
      },
    };
  };
}

/** Builds that print their Dockerfile, and succeed. */
export class MemoryImageBuilds implements Pick<ImageBuilds, 'prepare'> {
  /** What was asked for. */
  readonly orders: Parameters<ImageBuilds['prepare']>[0][] = [];
  readonly #images: MemoryImages;
  /** What the last build was sent. */
  received: Buffer | undefined;
  /** Does it otherwise, where a test wants that. */
  run: PreparedImageBuild | undefined;

  constructor(images: MemoryImages) {
    this.#images = images;
  }

  prepare: ImageBuilds['prepare'] = async (order) => {
    this.orders.push(order);
    return this.run ?? ((client) => this.#build(order, client));
  };

  async #build(
    { dockerfile, target }: Parameters<ImageBuilds['prepare']>[0],
    client: Parameters<PreparedImageBuild>[0],
  ): ReturnType<PreparedImageBuild> {
    this.received = await buffer(client.input());
    await client.output('stdout', Readable.from([Buffer.from(dockerfile.text)]));
    return { image: this.#images.add(target.owner, target.name), changed: true };
  }
}
