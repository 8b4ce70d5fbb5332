/** DHCP as firmware speaks it (RFC 2131): DISCOVER and REQUEST with what it says of itself, five times at most. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { run } from '../../packages/server/src/platform/index.ts';

export interface Offer {
  ip: string;
  /** The server that its files come from: who made the offer, if that has the right option 43. */
  server: string;
  mask: string;
  /** By number. */
  options: Map<number, Buffer>;
}

const TYPE = { discover: 1, offer: 2, request: 3, acknowledgement: 5 };
const COOKIE = Buffer.from([99, 130, 83, 99]);
const ATTEMPTS = 5;
/** Milliseconds: real firmware waits for five seconds. */
const WAIT = 5000;

/** What firmware says of itself, and what it takes. */
export interface Speaker {
  /** Options by number, beside those that every question has. */
  options: readonly [number, Buffer][];
  /** Undefined: it takes the offer; otherwise what is wrong with it. */
  refusal?(offer: Offer): string | undefined;
}

export const raspberryPi: Speaker = {
  options: [
    [55, Buffer.from([1, 3, 43, 60, 66, 67, 128, 129, 130, 131, 132, 133, 134, 135])],
    [93, Buffer.from([0, 0])],
    [94, Buffer.from([1, 2, 1])],
    [60, Buffer.from('PXEClient:Arch:00000:UNDI:002001')],
  ],
  // It takes PXE's menu (RFC 2132, 8.4: option 9 in option 43) with that text, and no other offer.
  refusal: ({ options }) => {
    const menu = optionsOf(options.get(43) ?? Buffer.alloc(0), 255).get(9);
    if (menu?.subarray(3).toString('latin1').startsWith('Raspberry Pi Boot')) return undefined;
    return `no "Raspberry Pi Boot" in option 43: ${options.get(43)?.toString('hex')}`;
  },
};

/** Gives an interface that has no address yet the one that DHCP tells. Throws when nobody makes an offer that the firmware takes. */
export async function takeAddress(mac: string, device: string, speaker: Speaker): Promise<Offer> {
  await run(['ip', 'route', 'replace', '255.255.255.255', 'dev', device]);
  const offer = await askAddress(mac, device, speaker);
  const bits = offer.mask
    .split('.')
    .reduce((sum, part) => sum + Number(part).toString(2).replaceAll('0', '').length, 0);
  await run(['ip', 'address', 'add', `${offer.ip}/${bits}`, 'dev', device]);
  return offer;
}

async function askAddress(mac: string, device: string, speaker: Speaker): Promise<Offer> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const ask = (type: number, answer: number, more: readonly [number, Buffer][] = []) =>
    exchange(socket, packet(mac, type, [...more, ...speaker.options]), answer, device);
  try {
    socket.bind({ port: 68, address: '0.0.0.0' });
    await once(socket, 'listening');
    socket.setBroadcast(true);
    const offer = await ask(TYPE.discover, TYPE.offer);
    const refusal = speaker.refusal?.(offer);
    if (refusal !== undefined) throw new Error(refusal);
    return await ask(TYPE.request, TYPE.acknowledgement, [
      [50, bytesOf(offer.ip)],
      [54, offer.options.get(54) ?? Buffer.alloc(0)],
    ]);
  } finally {
    socket.close();
  }
}

async function exchange(socket: Socket, question: Buffer, type: number, device: string): Promise<Offer> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const answer = new Promise<Offer | undefined>((resolve) => {
      const timer = setTimeout(resolve, WAIT, undefined);
      const receive = (bytes: Buffer) => {
        const offer = parse(bytes);
        if (offer?.options.get(53)?.[0] !== type || !bytes.subarray(4, 8).equals(question.subarray(4, 8)))
          return;
        clearTimeout(timer);
        socket.off('message', receive);
        resolve(offer);
      };
      socket.on('message', receive);
    });
    socket.send(question, 67, '255.255.255.255');
    const offer = await answer;
    if (offer) return offer;
  }
  throw new Error(`no answer by DHCP on ${device}`);
}

function packet(mac: string, type: number, more: readonly [number, Buffer][]): Buffer {
  const head = Buffer.alloc(236);
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  head.set([1, 1, 6, 0]);
  // Real firmware takes answers that are sent to an address which it has not got yet; a socket takes broadcasts only.
  address.copy(head, 4, 2);
  head.writeUInt16BE(0x8000, 10);
  address.copy(head, 28);
  const options: [number, Buffer][] = [
    [53, Buffer.from([type])],
    [97, Buffer.concat([Buffer.from([0]), address, address, address.subarray(0, 4)])],
    ...more,
  ];
  const parts = options.map(([code, value]) => Buffer.concat([Buffer.from([code, value.length]), value]));
  return Buffer.concat([head, COOKIE, ...parts, Buffer.from([255])]);
}

function parse(bytes: Buffer): Offer | undefined {
  if (bytes.length < 241 || bytes[0] !== 2 || !bytes.subarray(236, 240).equals(COOKIE)) return undefined;
  const options = optionsOf(bytes.subarray(240), 255);
  const address = (at: number) => [...bytes.subarray(at, at + 4)].join('.');
  return {
    ip: address(16),
    server: [...(options.get(54) ?? [])].join('.'),
    mask: [...(options.get(1) ?? [])].join('.'),
    options,
  };
}

function optionsOf(bytes: Buffer, end: number): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at + 1 < bytes.length && bytes[at] !== end; ) {
    const length = bytes[at] === 0 ? -1 : (bytes[at + 1] ?? 0);
    if (length >= 0) options.set(bytes[at] ?? 0, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function bytesOf(ip: string): Buffer {
  return Buffer.from(ip.split('.').map(Number));
}
