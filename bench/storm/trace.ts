/** What a machine asks an NFS server while it boots, seen on its cable, in a form that anyone can ask again. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Reader } from '../../test/attack/xdr.ts';

/** One question of NFSv4 (RFC 7530) about a file that an earlier one named. */
export type Question =
  | { op: 'getattr'; handle: string; mask: number[] }
  | { op: 'access'; handle: string; bits: number }
  | { op: 'lookup'; handle: string; name: string }
  | { op: 'readlink'; handle: string }
  | { op: 'readdir'; handle: string; bytes: number }
  | { op: 'read'; handle: string; offset: string; bytes: number };

export interface Trace {
  /** Calls that the machine made, those that only keep its session or its open files among them. */
  calls: number;
  /** A question per call that looks at the file system, in order. */
  questions: Question[];
}

const OP = {
  ...{
    access: 3,
    close: 4,
    getattr: 9,
    getfh: 10,
    lookup: 15,
    open: 18,
    putfh: 22,
    putpubfh: 23,
    putrootfh: 24,
  },
  ...{ read: 25, readdir: 26, readlink: 27, restorefh: 31, savefh: 32, sequence: 53, readPlus: 68 },
};

/** Records the calls of the machine with this address to port 2049 of a server, until `during` has ended. */
export async function recordTrace(
  { namespace, link, ip, file }: { namespace: string; link: string; ip: string; file: string },
  during: () => Promise<unknown>,
): Promise<Trace> {
  const words = ['-u', '-b', '131072', `INTERFACE:${link},rcvbuf=67108864`, `OPEN:${file},creat,trunc`];
  const sniffer = spawn('ip', ['netns', 'exec', namespace, 'socat', ...words], { stdio: 'inherit' });
  const ended = once(sniffer, 'exit');
  try {
    await during();
    // The last frames are on their way to the file.
    await delay(500);
  } finally {
    sniffer.kill();
    await ended;
  }
  return traceOf(callsOf(await readFile(file), ip));
}

/** Bytes of each TCP connection from `ip` to port 2049, in frames of Ethernet that lie one behind the other. */
function callsOf(frames: Buffer, ip: string): Buffer[] {
  const connections = new Map<number, { next: number; parts: Buffer[] }>();
  for (const packet of packets(frames)) {
    const head = (packet.readUInt8(0) & 15) * 4;
    if (packet.readUInt8(9) !== 6 || address(packet, 12) !== ip || packet.readUInt16BE(head + 2) !== 2049)
      continue;
    const port = packet.readUInt16BE(head);
    const sequence = packet.readUInt32BE(head + 4);
    const data = packet.subarray(head + (packet.readUInt8(head + 12) >> 4) * 4);
    const isStart = (packet.readUInt8(head + 13) & 2) !== 0;
    if (isStart) connections.set(port, { next: (sequence + 1) >>> 0, parts: [] });
    const connection = connections.get(port);
    if (!connection || data.length === 0) continue;
    const ahead = (sequence - connection.next) | 0;
    if (ahead > 0) throw new Error('the sniffer missed packets: try again on a machine that does less');
    if (data.length + ahead <= 0) continue;
    connection.parts.push(data.subarray(-ahead));
    connection.next = (sequence + data.length) >>> 0;
  }
  return [...connections.values()].map(({ parts }) => Buffer.concat(parts));
}

const address = (packet: Buffer, at: number) => packet.subarray(at, at + 4).join('.');

/** IPv4 packets of frames; short ones may be padded to 60 bytes. */
function* packets(frames: Buffer): Generator<Buffer> {
  const isFrame = (at: number) => at === frames.length || [0x0800, 0x0806, 0x86dd].includes(typeAt(at));
  const typeAt = (at: number) => (at + 14 <= frames.length ? frames.readUInt16BE(at + 12) : 0);
  for (let at = 0; at + 34 <= frames.length; ) {
    const type = typeAt(at);
    const length =
      14 +
      (type === 0x0800
        ? frames.readUInt16BE(at + 16)
        : type === 0x86dd
          ? 40 + frames.readUInt16BE(at + 18)
          : 28);
    if (type === 0x0800) yield frames.subarray(at + 14, at + length);
    at += isFrame(at + length) ? length : 60;
    if (!isFrame(at) && at < frames.length - 14)
      throw new Error('what the sniffer saw is no sequence of frames');
  }
}

/** Calls out of record marks (RFC 5531, 11). */
function traceOf(connections: readonly Buffer[]): Trace {
  const trace: Trace = { calls: 0, questions: [] };
  for (const bytes of connections) {
    for (let at = 0; at + 4 <= bytes.length; ) {
      const length = bytes.readUInt32BE(at) & 0x7fff_ffff;
      const call = new Reader(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
      if (at > bytes.length) break;
      trace.calls += 1;
      const question = questionOf(call);
      if (question) trace.questions.push(question);
    }
  }
  return trace;
}

/** The first operation of a compound that looks at a file; undefined where there is none. */
function questionOf(call: Reader): Question | undefined {
  for (let skipped = 0; skipped < 5; skipped += 1) call.u32();
  // Procedure 0 asks for nothing.
  if (call.u32() === 0) return undefined;
  for (const _ of ['credentials', 'verifier']) {
    call.u32();
    call.opaque();
  }
  call.opaque();
  call.u32();
  let handle = '';
  for (let left = call.u32(); left > 0; left -= 1) {
    const op = call.u32();
    if (op === OP.sequence) {
      call.raw(16);
      for (let skipped = 0; skipped < 4; skipped += 1) call.u32();
    } else if (op === OP.putfh) handle = call.opaque().toString('base64');
    else if (op === OP.savefh || op === OP.restorefh || op === OP.getfh) continue;
    else if (handle === '') return undefined;
    else if (op === OP.access) return { op: 'access', handle, bits: call.u32() };
    else if (op === OP.getattr)
      return { op: 'getattr', handle, mask: Array.from({ length: call.u32() }, () => call.u32()) };
    else if (op === OP.lookup) return { op: 'lookup', handle, name: call.opaque().toString('latin1') };
    else if (op === OP.readlink) return { op: 'readlink', handle };
    else if (op === OP.read || op === OP.readPlus) {
      call.raw(16);
      return { op: 'read', handle, offset: String(call.u64()), bytes: call.u32() };
    } else if (op === OP.readdir) {
      call.raw(16);
      call.u32();
      return { op: 'readdir', handle, bytes: call.u32() };
    } else if (op === OP.open || op === OP.close) {
      // Whoever asks again opens nothing: for the server, looking at the file is the least of it.
      return { op: 'getattr', handle, mask: [0x0010_011a, 0x00b0_a23a] };
    } else return undefined;
  }
  return undefined;
}
