/** Builds of both kinds, in memory. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Images } from '../src/images/index.ts';
import { UserError } from '../src/platform/index.ts';
import type { MemoryImages } from './memory-services.ts';

type CrossBuilds = Images['cross'];
type ImageBuilds = Images['builds'];

/** Builds that print their command, and end at once. */
export class MemoryBuilds implements Pick<CrossBuilds, 'prepare' | 'run'> {
  /** What was asked for, by ticket. */
  readonly requests = new Map<string, Parameters<CrossBuilds['prepare']>[0]>();
  /** What the last build was sent. */
  received: Buffer | undefined;

  async *prepare(request: Parameters<CrossBuilds['prepare']>[0]) {
    const ticket = randomBytes(16).toString('hex');
    this.requests.set(ticket, request);
    yield { type: 'progress' as const, step: 'Unpacking the compiler' };
    return { ticket, ownLibrary: true };
  }

  run: CrossBuilds['run'] = async (user, ticket, client) => {
    const request = this.requests.get(ticket);
    if (request?.user !== user) throw new UserError('NOT_FOUND', 'No such build.', 'Repeat the command.');
    this.received = await buffer(client.sources());
    const text = Buffer.from(request.command.join(' '));
    const head = Buffer.of(1, 0, 0, 0, 0, 0, 0, text.length);
    await client.output(Readable.from([Buffer.concat([head, text])]));
    client.ended(3);
    client.deleted(['old']);
    await client.files(Readable.from([Buffer.from('tar')]));
    return 3;
  };
}

/** Builds that print their Dockerfile, and succeed. */
export class MemoryImageBuilds implements Pick<ImageBuilds, 'prepare' | 'run'> {
  /** What was asked for, by ticket. */
  readonly orders = new Map<string, Parameters<ImageBuilds['prepare']>[0]>();
  readonly #images: MemoryImages;
  /** What the last build was sent. */
  received: Buffer | undefined;

  constructor(images: MemoryImages) {
    this.#images = images;
  }

  prepare: ImageBuilds['prepare'] = async (order) => {
    const ticket = randomBytes(16).toString('hex');
    this.orders.set(ticket, order);
    return ticket;
  };

  run: ImageBuilds['run'] = async (user, ticket, client) => {
    const order = this.orders.get(ticket);
    if (order?.user !== user) throw new UserError('NOT_FOUND', 'No such build.', 'Repeat the command.');
    this.received = await buffer(client.sources());
    await client.output('stdout', Readable.from([Buffer.from(order.dockerfile.text)]));
    await client.saved(this.#images.add(order.target.owner, order.target.name), true);
  };
}
