/** XDR (RFC 4506): what ONC RPC and NFS are written in. */

export class Writer {
  readonly #parts: Buffer[] = [];

  u32(...values: number[]): this {
    for (const value of values) {
      const part = Buffer.alloc(4);
      part.writeUInt32BE(value >>> 0);
      this.#parts.push(part);
    }
    return this;
  }

  u64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(value);
    this.#parts.push(part);
    return this;
  }

  /** Of fixed length; padded to 4 bytes. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes), Buffer.alloc(-bytes.length & 3));
    return this;
  }

  opaque(bytes: Uint8Array | string): this {
    const data = Buffer.from(bytes);
    return this.u32(data.length).raw(data);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Throws RangeError at the end of the message. */
export class Reader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  u32(): number {
    this.#at += 4;
    return this.#data.readUInt32BE(this.#at - 4);
  }

  u64(): bigint {
    this.#at += 8;
    return this.#data.readBigUInt64BE(this.#at - 8);
  }

  raw(length: number): Buffer {
    if (this.#at + length > this.#data.length) throw new RangeError('the message ends too early');
    const part = this.#data.subarray(this.#at, this.#at + length);
    this.#at += length + (-length & 3);
    return part;
  }

  opaque(): Buffer {
    return this.raw(this.u32());
  }
}
