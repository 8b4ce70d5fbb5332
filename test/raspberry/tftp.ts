/**
 * The TFTP client of a Raspberry Pi's firmware, with its habits: it asks for the size, takes blocks of 1024 bytes one by one, never
 * asks again, and hangs when a block comes twice (raspberrypi/firmware#1631).
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** Milliseconds without a packet, after which it gives up for good. */
const PATIENCE = 30_000;

export interface Fetched {
  path: string;
  /** Undefined: the server has said that there is no such file. */
  content: Buffer | undefined;
  /** Bytes that the server has announced. */
  size: number | undefined;
  /** Milliseconds until its first answer. */
  answered: number;
}

/** `options`: without them, the boot ROM of a Raspberry Pi 3, which takes blocks of 512 bytes. `probe`: only the size is wanted. */
export async function fetchFile(
  server: string,
  path: string,
  { options = true, probe = false }: { options?: boolean; probe?: boolean } = {},
): Promise<Fetched> {
  const socket = createSocket('udp4');
  const began = performance.now();
  try {
    socket.bind(0);
    await once(socket, 'listening');
    const words = [path, 'octet', ...(options ? ['tsize', '0', 'blksize', '1024'] : [])];
    socket.send(
      Buffer.concat([number(1), Buffer.from(words.map((word) => `${word}\0`).join(''))]),
      69,
      server,
    );
    const parts: Buffer[] = [];
    let [block, size, blockSize, answered] = [0, undefined as number | undefined, 512, 0];
    for (;;) {
      const [packet, from] = (await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE) })) as [
        Buffer,
        { port: number },
      ];
      answered ||= performance.now() - began;
      // It has left before the socket is closed.
      const reply = (bytes: Buffer) => new Promise((sent) => socket.send(bytes, from.port, server, sent));
      const opcode = packet.readUInt16BE(0);
      if (opcode === 5) {
        if (packet.readUInt16BE(2) !== 1) throw new Error(`${path}: ${packet.toString('latin1', 4)}`);
        return { path, content: undefined, size: undefined, answered };
      }
      if (opcode === 6) {
        const granted = packet.toString('latin1', 2).split('\0');
        size = Number(granted[granted.indexOf('tsize') + 1]);
        blockSize = Number(granted[granted.indexOf('blksize') + 1]);
        if (probe) {
          await reply(Buffer.concat([number(5), number(0), Buffer.from('Early terminate\0')]));
          return { path, content: undefined, size, answered };
        }
        await reply(Buffer.concat([number(4), number(0)]));
        continue;
      }
      block += 1;
      if (packet.readUInt16BE(2) !== block)
        throw new Error(`${path}: hangs at block ${packet.readUInt16BE(2)}`);
      parts.push(packet.subarray(4));
      await reply(Buffer.concat([number(4), number(block)]));
      if (packet.length < blockSize + 4) return { path, content: Buffer.concat(parts), size, answered };
    }
  } finally {
    socket.close();
  }
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
