export interface Stream {
  id: number;
  issuer: string;
  name: string;
}

/** All streams, as they are in the database. */
export class StreamList {
  /** By issuer and name. */
  readonly #named = new Map<string, Map<string, Stream>>();
  readonly #byId = new Map<number, Stream>();

  reset(streams: Iterable<Stream>): void {
    this.#named.clear();
    this.#byId.clear();
    for (const stream of streams) this.add(stream);
  }

  all(): Iterable<Stream> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): Stream | undefined {
    return this.#byId.get(id);
  }

  find(issuer: string, name: string): Stream | undefined {
    return this.#named.get(issuer)?.get(name);
  }

  /** Of one issuer. */
  count(issuer: string): number {
    return this.#named.get(issuer)?.size ?? 0;
  }

  add(stream: Stream): void {
    const own = this.#named.get(stream.issuer) ?? new Map<string, Stream>();
    this.#named.set(stream.issuer, own.set(stream.name, stream));
    this.#byId.set(stream.id, stream);
  }

  remove(stream: Stream): void {
    // Another one may have its number or name by now.
    if (this.#byId.get(stream.id) === stream) this.#byId.delete(stream.id);
    const own = this.#named.get(stream.issuer);
    if (own?.get(stream.name) === stream) own.delete(stream.name);
    if (own?.size === 0) this.#named.delete(stream.issuer);
  }
}
