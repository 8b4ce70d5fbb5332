import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Log } from '../logs/index.ts';
import { rarely } from '../logs/index.ts';

export type Peer = Pick<RemoteInfo, 'address' | 'port'>;

interface UdpOptions {
  /** As the journal calls it. */
  name: string;
  log: Log;
  /** Of IPv4 or IPv6; without one, all of the namespace. */
  address?: string;
  /** 0 asks the system for a free one. */
  port: number;
  family?: 'udp4' | 'udp6';
  /** Sends to all of a subnet, too. */
  broadcast?: boolean;
  /** Beside another program's socket on the same port, which agrees (socket(7), SO_REUSEPORT). */
  shared?: boolean;
  /** Bytes that wait to be read, as many as the kernel grants (socket(7), SO_RCVBUF). Default: the kernel's. */
  room?: number;
  /** What it throws goes to the journal, and the datagram is dropped. Default: nothing is read. */
  receive?: (bytes: Buffer, from: Peer) => void;
}

/** A UDP port. As on any network, what cannot be sent is lost without an error. */
export class UdpPort {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Throws when the port is taken. */
  static async open(options: UdpOptions): Promise<UdpPort> {
    const {
      name,
      log,
      address,
      port,
      family = 'udp4',
      broadcast = false,
      shared = false,
      room,
      receive,
    } = options;
    const warn = rarely(log.error);
    const socket = createSocket({
      ...{ type: family, reusePort: shared },
      ...(room !== undefined && { recvBufferSize: room }),
    });
    const listening = once(socket, 'listening');
    try {
      socket.bind(port, address);
      await listening;
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.setBroadcast(broadcast);
    // Of a datagram that could not leave.
    socket.on('error', () => {});
    socket.on('message', (bytes, from) => {
      // Nothing can be sent there, so nothing that asks from there is answered.
      if (from.port === 0) return;
      try {
        receive?.(bytes, from);
      } catch (error) {
        warn(`${name}: a datagram failed`, { from: from.address, error: String(error) });
      }
    });
    return new UdpPort(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** `sent`: once it has left, or could not. */
  send(bytes: Uint8Array, to: Peer, sent: () => void = () => {}): void {
    try {
      this.#socket.send(bytes, to.port, to.address, sent);
    } catch {
      // Port 0, or a socket that was closed: lost.
      sent();
    }
  }

  /** Lets the process end though it listens. */
  unref(): void {
    this.#socket.unref();
  }

  /** Idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      try {
        this.#socket.close(resolve);
      } catch {
        resolve(); // it was closed before
      }
    });
  }
}
