/** For tests: guests that put any bytes on a tap, and what such bytes are made of. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** A machine on a tap that sends what it is told and keeps what it gets: QEMU without a guest, its network joined to UDP sockets. */
export class Guest implements AsyncDisposable {
  readonly received: Buffer[] = [];
  readonly #socket: Socket;
  readonly #port: number;
  readonly #qemu: ChildProcess;
  #arrival: (() => void) | undefined;

  private constructor(socket: Socket, port: number, qemu: ChildProcess) {
    this.#socket = socket;
    this.#port = port;
    this.#qemu = qemu;
    socket.on('message', (frame) => {
      this.received.push(frame);
      this.#arrival?.();
    });
  }

  static async plug(tap: string): Promise<Guest> {
    const socket = createSocket('udp4');
    const free = createSocket('udp4');
    for (const one of [socket, free]) {
      one.bind(0, '127.0.0.1');
      await once(one, 'listening');
    }
    const { port } = free.address();
    free.close();
    await once(free, 'close');
    const udp = `udp=127.0.0.1:${socket.address().port},localaddr=127.0.0.1:${port}`;
    const parts = [`tap,id=tap,ifname=${tap},script=no,downscript=no`, `socket,id=udp,${udp}`];
    const hub = ['hubport,id=a,hubid=0,netdev=tap', 'hubport,id=b,hubid=0,netdev=udp'];
    const machine = ['-machine', 'none', '-display', 'none', '-nodefaults', '-monitor', 'stdio'];
    const netdevs = [...parts, ...hub].flatMap((netdev) => ['-netdev', netdev]);
    const qemu = spawn('qemu-system-x86_64', [...machine, ...netdevs], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // Its monitor answers when all is joined.
    await once(qemu.stdout, 'data');
    return new Guest(socket, port, qemu);
  }

  send(frame: Buffer): void {
    this.#socket.send(frame, this.#port, '127.0.0.1');
  }

  /** Resolves when this very frame has come, with all that came before it. */
  async until(frame: Buffer): Promise<Buffer[]> {
    const deadline = AbortSignal.timeout(10_000);
    for (;;) {
      const at = this.received.findIndex((one) => one.equals(frame));
      if (at !== -1) return this.received.splice(0, at + 1).slice(0, -1);
      await new Promise<void>((resolve, reject) => {
        this.#arrival = resolve;
        deadline.addEventListener('abort', () => reject(new Error('no such frame came')), { once: true });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#qemu.kill();
    await once(this.#qemu, 'exit');
    this.#socket.close();
  }
}

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

export const hex = (text: string) => Buffer.from(text.replaceAll(/[: ]/g, ''), 'hex');
const ipv4Bytes = (ip: string) => Buffer.from(ip.split('.').map(Number));
const u16 = (...values: number[]) => Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));

/** Of 60 bytes at least, as Ethernet has it. */
export function ethernet(from: string, type: number, ...payload: Buffer[]): Buffer {
  const frame = Buffer.concat([hex(BROADCAST), hex(from), u16(type), ...payload]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]);
}

/** RFC 826. */
export function arp(mac: string, ip: string, target: string, operation = 1): Buffer {
  const about = u16(1, 0x0800, 0x0604, operation);
  return Buffer.concat([about, hex(mac), ipv4Bytes(ip), Buffer.alloc(6), ipv4Bytes(target)]);
}

/** RFC 791; checksums are left out, as a bridge does not look at them. `fragment`: the offset in 8 bytes, 0x2000: more come. */
export function ipv4(from: string, to: string, protocol: number, payload: Buffer, fragment = 0): Buffer {
  const head = Buffer.concat([
    Buffer.of(0x45, 0),
    u16(20 + payload.length, 7, fragment),
    Buffer.of(64, protocol, 0, 0),
  ]);
  return Buffer.concat([head, ipv4Bytes(from), ipv4Bytes(to), payload]);
}

export function udp(from: number, to: number, payload: Buffer): Buffer {
  return Buffer.concat([u16(from, to, 8 + payload.length, 0), payload]);
}

/** The head of a DHCP message (RFC 2131), as far as `chaddr`: 1 asks, 2 answers. */
export function dhcp(mac: string, operation = 1): Buffer {
  return Buffer.concat([Buffer.of(operation, 1, 6, 0), Buffer.alloc(24), hex(mac), Buffer.alloc(202)]);
}

/** RFC 8200; addresses as 32 digits. */
export function ipv6(from: string, to: string, protocol: number, payload: Buffer): Buffer {
  const head = Buffer.concat([hex('60000000'), u16(payload.length), Buffer.of(protocol, 255)]);
  return Buffer.concat([head, hex(from), hex(to), payload]);
}

/** RFC 4861: router solicitation 133, advertisement 134; neighbour solicitation 135, advertisement 136; redirect 137. */
export function icmpv6(type: number, target = ''): Buffer {
  return Buffer.concat([Buffer.of(type, 0, 0, 0, 0, 0, 0, 0), hex(target), Buffer.alloc(8)]);
}
