/** Reads of a root on NFS, asked again. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Writer } from '../../test/attack/xdr.ts';
import type { Question } from './trace.ts';

const OP = { access: 3, getattr: 9, lookup: 15, putfh: 22, read: 25, readdir: 26, readlink: 27 };
/** That of nobody who opened the file (RFC 7530, 9.1.4.3). */
const ANONYMOUS = Buffer.alloc(16);

/**
 * Asks one question at a time, as NFSv4.0 without a session: by handle. Throws when the server refuses more than some of them, as it
 * does where a handle is not of its export.
 */
export async function readRoot(ip: string, nfs: string, questions: readonly Question[]): Promise<void> {
  const socket = connect({ host: nfs, port: 2049, localAddress: ip });
  let answered = Promise.withResolvers<Buffer>();
  let refused = 0;
  socket.on('error', (error) => answered.reject(error));
  socket.on('close', () => answered.reject(new Error('the NFS server hung up')));
  await once(socket, 'connect');
  const answers = new Answers((answer) => answered.resolve(answer));
  socket.on('data', (data: Buffer) => answers.take(data));
  for (const [at, question] of questions.entries()) {
    answered = Promise.withResolvers();
    socket.write(callOf(at + 1, question));
    // Behind xid, type, state, verifier, and acceptance: the status of the compound.
    if ((await answered.promise).readUInt32BE(24) !== 0) refused += 1;
  }
  answered = Promise.withResolvers();
  answered.promise.catch(() => {});
  socket.destroy();
  if (refused > questions.length / 20)
    throw new Error(`${refused} of ${questions.length} reads were refused: they ask for what is not there`);
}

/** Replies of ONC RPC over TCP (RFC 5531, 11): each is told by its first bytes, once it is there as a whole. */
class Answers {
  readonly #told: (start: Buffer) => void;
  #start = Buffer.alloc(0);
  #missing = 0;

  constructor(told: (start: Buffer) => void) {
    this.#told = told;
  }

  take(data: Buffer): void {
    for (let at = 0; at < data.length; ) {
      const isMark = this.#missing === 0;
      const taken = data.subarray(at, at + (isMark ? 4 - this.#start.length : this.#missing));
      at += taken.length;
      if (this.#start.length < 32) this.#start = Buffer.concat([this.#start, taken.subarray(0, 32)]);
      if (!isMark) this.#missing -= taken.length;
      else if (this.#start.length === 4) {
        this.#missing = this.#start.readUInt32BE(0) & 0x7fff_ffff;
        this.#start = Buffer.alloc(0);
        continue;
      } else continue;
      if (this.#missing > 0) continue;
      const start = this.#start;
      this.#start = Buffer.alloc(0);
      this.#told(start);
    }
  }
}

function callOf(id: number, question: Question): Buffer {
  const credentials = new Writer().u32(0).opaque('bench').u32(0, 0, 0).bytes();
  const head = new Writer().u32(id, 0, 2, 100_003, 4, 1, 1).opaque(credentials).u32(0, 0);
  const call = head
    .u32(0, 0, 2, OP.putfh)
    .opaque(Buffer.from(question.handle, 'base64'))
    .u32(OP[question.op]);
  const message = argumentsOf(call, question).bytes();
  return Buffer.concat([new Writer().u32(0x8000_0000 | message.length).bytes(), message]);
}

function argumentsOf(call: Writer, question: Question): Writer {
  switch (question.op) {
    case 'access':
      return call.u32(question.bits);
    case 'getattr':
      return call.u32(question.mask.length, ...question.mask);
    case 'lookup':
      return call.opaque(Buffer.from(question.name, 'latin1'));
    case 'read':
      return call.raw(ANONYMOUS).u64(BigInt(question.offset)).u32(question.bytes);
    case 'readdir':
      // From the start, with the attributes that a kernel asks for: type, change, size, fsid, fileid, mode, links, owners, times.
      return call.u64(0n).u64(0n).u32(question.bytes, question.bytes, 2, 0x0010_011a, 0x00b0_a23a);
    case 'readlink':
      return call;
  }
}
