/** The question whether there is a DHCP server, and its answers (RFC 2131 figure 1, RFC 2132). Pure. */
import { isIPv4 } from 'node:net';
import { COOKIE, FIXED, optionsOf } from './dhcp-packet.ts';

const CLIENT_PORT = 68;
const SERVER_PORT = 67;
const BOOTREPLY = 2;
/** RFC 951: what servers may take for granted. */
const MIN_MESSAGE = 300;
/** DHCPOFFER, DHCPACK, DHCPNAK: what only a server says. */
const ANSWERS = [2, 5, 6];
/** RFC 4578: servers that tell firmware only what to load answer to nothing else. */
const PXE = 'PXEClient:Arch:00000:UNDI:002001';

/**
 * A DHCPDISCOVER as a whole Ethernet frame to all, from nowhere (0.0.0.0), as of a machine that has no address: a server that looks
 * for its way back to a sender's address would drop another. The answer is to be sent to all, too.
 */
export function discoverFrame(question: { mac: string; xid: number; seconds: number; pxe: boolean }): Buffer {
  const { mac, xid, seconds, pxe } = question;
  const type = [53, 1, 1];
  const wanted = [55, 3, 1, 3, 54];
  const vendor = pxe ? [60, PXE.length, ...Buffer.from(PXE)] : [];
  const head = Buffer.from([1, 1, 6, 0, ...numbers(xid, seconds)]); // BOOTREQUEST, Ethernet, six bytes of address
  return frame(mac, SERVER_PORT, message(mac, head, [...type, ...wanted, ...vendor]));
}

/** What only we understand: an answer (BOOTREPLY) without a type, which clients of DHCP pass over. */
export function echoFrame(mac: string, xid: number): Buffer {
  return frame(mac, CLIENT_PORT, message(mac, Buffer.from([2, 1, 6, 0, ...numbers(xid, 0)]), []));
}

/** Its number; undefined when it is no echo. */
export function readEcho(bytes: Buffer): number | undefined {
  if (bytes[0] !== BOOTREPLY || !optionsOf(bytes) || bytes[FIXED] !== 255) return undefined;
  return bytes.readUInt32BE(4);
}

function frame(mac: string, port: number, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.alloc(6, 0xff),
    bytesOf(mac),
    Buffer.of(0x08, 0x00),
    ipv4(udp(port, payload)),
  ]);
}

function bytesOf(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** xid, seconds, and the wish to be answered to all. */
function numbers(xid: number, seconds: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(xid, 0);
  bytes.writeUInt16BE(seconds, 4);
  bytes.writeUInt16BE(0x8000, 6);
  return bytes;
}

function message(mac: string, head: Buffer, options: number[]): Buffer {
  const fixed = Buffer.alloc(FIXED - COOKIE.length);
  fixed.set(head, 0);
  fixed.set(bytesOf(mac), 28); // chaddr
  const whole = Buffer.concat([fixed, COOKIE, Buffer.from([...options, 255])]);
  return Buffer.concat([whole, Buffer.alloc(Math.max(0, MIN_MESSAGE - whole.length))]);
}

/** RFC 768; a checksum of 0 means none. */
function udp(port: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(CLIENT_PORT, 0);
  head.writeUInt16BE(port, 2);
  head.writeUInt16BE(head.length + payload.length, 4);
  return Buffer.concat([head, payload]);
}

/** RFC 791: UDP from 0.0.0.0 to 255.255.255.255. */
function ipv4(payload: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(head.length + payload.length, 2);
  head.set([64, 17], 8);
  head.fill(0xff, 16);
  let sum = 0;
  for (let at = 0; at < head.length; at += 2) sum += head.readUInt16BE(at);
  head.writeUInt16BE(0xffff - ((sum & 0xffff) + (sum >> 16)), 10);
  return Buffer.concat([head, payload]);
}

export interface DhcpAnswer {
  xid: number;
  /** What the server calls itself (option 54); undefined when it does not. */
  server: string | undefined;
}

/** What a DHCP server said; undefined when it is no such thing. */
export function readAnswer(bytes: Buffer): DhcpAnswer | undefined {
  const options = bytes[0] === BOOTREPLY ? optionsOf(bytes) : undefined;
  const type = options?.get(53)?.[0];
  if (!options || type === undefined || !ANSWERS.includes(type)) return undefined;
  const server = options.get(54)?.join('.');
  return {
    xid: bytes.readUInt32BE(4),
    server: server !== undefined && isIPv4(server) ? server : undefined,
  };
}
