/** DHCP (RFC 2131) of many machines, as iPXE asks. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { COOKIE, optionsOf } from '../../packages/server/src/network/dhcp/dhcp-packet.ts';

const LIMIT_MS = 20_000;
/** Types of messages (RFC 2132, 9.6). */
const [OFFER, ACK, NAK] = [2, 5, 6];

/** Answers of the DHCP server come to one socket. */
export class Dhcp {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (options: { ip: string; type: number; server: Buffer }) => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message) => {
      const mac = message.subarray(28, 34).toString('hex');
      const options = optionsOf(message);
      const type = options?.get(53)?.[0] ?? 0;
      const from = options?.get(54) ?? Buffer.alloc(4);
      this.#waiting.get(mac)?.({ ip: message.subarray(16, 20).join('.'), type, server: from });
    });
  }

  static async open(): Promise<Dhcp> {
    const socket = createSocket('udp4');
    socket.bind(68);
    await once(socket, 'listening');
    socket.setBroadcast(true);
    return new Dhcp(socket);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * The address that a machine gets; one that has its own already is answered there. An offer may be made to two: one of them is
   * refused what it asks for, and begins again.
   */
  async address(mac: string, hasOwn: boolean): Promise<string> {
    for (;;) {
      const offer = await this.#ask(mac, hasOwn, 1);
      const wanted = Buffer.from(offer.ip.split('.').map(Number));
      const { ip, type } = await this.#ask(mac, hasOwn, 3, [50, wanted], [54, offer.server]);
      if (type === ACK) return ip;
    }
  }

  /** RFC 2131; repeated with growing pauses, as firmware does. */
  async #ask(mac: string, hasOwn: boolean, type: number, ...more: [number, Buffer][]) {
    const key = mac.replaceAll(':', '');
    const head = Buffer.alloc(236);
    head.set([1, 1, 6, 0]);
    head.set(crypto.getRandomValues(new Uint8Array(4)), 4);
    if (!hasOwn) head.set([0x80, 0], 10);
    head.write(key, 28, 'hex');
    const options: [number, Buffer][] = [
      [53, Buffer.of(type)],
      ...more,
      [55, Buffer.of(1, 3, 6, 12, 15, 66, 67, 175)],
      [60, Buffer.from('PXEClient:Arch:00000:UNDI:002001')],
      [77, Buffer.from('iPXE')],
      [93, Buffer.of(0, 0)],
      [175, Buffer.of(0xb1, 1, 1)],
    ];
    const parts = options.map(([code, value]) => Buffer.concat([Buffer.of(code, value.length), value]));
    const message = Buffer.concat([head, COOKIE, ...parts, Buffer.of(255)]);
    const answer = Promise.withResolvers<{ ip: string; type: number; server: Buffer }>();
    this.#waiting.set(key, (found) => {
      if (type === 1 ? found.type === OFFER : found.type === ACK || found.type === NAK) answer.resolve(found);
    });
    let timer: NodeJS.Timeout | undefined;
    const send = (pause: number) => {
      this.#socket.send(message, 67, '255.255.255.255');
      timer = setTimeout(
        () => (pause > LIMIT_MS ? answer.reject(new Error(`no DHCP for ${mac}`)) : send(pause * 2)),
        pause,
      );
    };
    send(2000);
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(key);
    }
  }
}
