/**
 * What a machine of walt-net can do to the server: all that nodes may ask for, each at every moment of `visit.ts`. Runs on that machine:
 * node-side.ts SERVER MAC SEED ROUNDS, and prints the number of visits.
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeFiles, NodeHttp, NodeTftp } from '../../packages/server/src/boot/index.ts';
import { PORTMAP_PORT, PROCEDURES } from '../../packages/server/src/network/index.ts';
import { Random } from '../random.ts';
import { type Asked, MOMENTS, visit } from './visit.ts';

const [server = '', mac = '', seed = '1', rounds = '1', ...addresses] = process.argv.slice(2);
const random = new Random(Number(seed));
const NOTHING = Buffer.alloc(0);
/** What any of the routes may want to know. */
const QUERY = `mac=${mac}&cpu=x86_64&generation=1&booted=1&board=qemu_arm64&vendor=qemu`;
const PARALLEL = 8;

/** What the boot script names. */
async function namedFiles(): Promise<string[]> {
  const script = await (await fetch(`http://${server}/boot/ipxe?${QUERY}`)).text();
  return [...script.matchAll(/http:\/\/[^/\s]+\/(\S+)/g)].map(([, path = '']) => path);
}

function http(route: string): Asked {
  const [method = '', path = ''] = route.split(' ');
  const body = method === 'POST' ? random.bytes(300) : NOTHING;
  const head = [
    `${method} ${path}${path.includes('?') ? '' : `?${QUERY}`} HTTP/1.1`,
    ...['host: x', 'x-walt-token: made-up', 'connection: close', `content-length: ${body.length}`],
  ];
  return { head: Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body, after: NOTHING };
}

/** RFC 5531: a call without authentication. */
function portmap(procedure: number, version: number): Buffer {
  const words = [7, 0, 2, 100_000, version, procedure, 0, 0, 0, 0, 100_003, 3, 6, 0];
  const bytes = Buffer.alloc(4 * words.length);
  for (const [at, word] of words.entries()) bytes.writeUInt32BE(word, 4 * at);
  return bytes;
}

function length(bytes: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(0x8000_0000 + bytes.length);
  return head;
}

/** Sends datagrams and leaves: at once, or after `reply` to the first answer. */
async function datagrams(
  port: number,
  packets: readonly Buffer[],
  reply?: (from: RemoteInfo) => Buffer,
): Promise<void> {
  const socket = createSocket('udp4');
  const heard = new Promise<void>((resolve) => {
    socket.once('message', (_bytes, from) => {
      if (reply) socket.send(reply(from), from.port, from.address, () => resolve());
      else resolve();
    });
  });
  socket.on('error', () => {});
  for (const packet of packets)
    await new Promise<void>((resolve) => socket.send(packet, port, server, () => resolve()));
  if (reply) await Promise.race([heard, delay(300)]);
  socket.close();
}

const TFTP_PORT = 69;
const word = (value: number) => Buffer.from([value >> 8, value & 255]);
/** RFC 1350 and 2349. The time is the shortest: what nobody acknowledges is over sooner. */
const read = (path: string) => Buffer.from(`\0\x01${path}\0octet\0timeout\x001\0`, 'latin1');

async function tftp(path: string): Promise<number> {
  const error = () => Buffer.concat([word(5), word(0), Buffer.from('no\0')]);
  const acknowledge = () => Buffer.concat([word(4), word(0)]);
  const asked = read(path);
  await datagrams(TFTP_PORT, [asked]);
  await datagrams(TFTP_PORT, [asked.subarray(0, asked.length / 2)]);
  await datagrams(TFTP_PORT, [asked, asked, asked]);
  await datagrams(TFTP_PORT, [asked], error);
  await datagrams(TFTP_PORT, [asked], acknowledge);
  await datagrams(TFTP_PORT, [asked], () => random.bytes(40));
  await datagrams(TFTP_PORT, [random.bytes(100), NOTHING, read(path.padEnd(600, 'x'))]);
  return 7;
}

/** Connections that say nothing, from several addresses, until the server ends them. */
async function crowd(port: number, each: number): Promise<number> {
  const held = addresses.flatMap((localAddress) =>
    Array.from({ length: each }, () => connect({ host: server, port, localAddress }).on('error', () => {})),
  );
  await delay(500);
  for (const socket of held) socket.destroy();
  return held.length;
}

async function all(work: readonly (() => Promise<number>)[]): Promise<number> {
  const queue = [...work];
  let visits = 0;
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const made = await next();
      visits += made;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return visits;
}

async function round(): Promise<number> {
  const files = [...NodeFiles.made.keys(), ...(await namedFiles()), 'boot/none', 'none', '../../etc/passwd'];
  const routes = [...NodeHttp.routes.keys(), ...files.flatMap((path) => [`GET /${path}`, `HEAD /${path}`])];
  const procedures = [...PROCEDURES.keys(), 99].flatMap((procedure) =>
    [2, 3, 4, 9].map((version) => portmap(procedure, version)),
  );
  const paths = [...files, ...[...NodeTftp.routes.keys()].map((path) => path.replace(/\?$/, `?${QUERY}`))];
  const once = async (port: number, asked: Asked, moment: (typeof MOMENTS)[number]) => {
    await visit({ host: server, port }, asked, moment, random.bytes(100));
    return 1;
  };
  return await all([
    ...routes.flatMap((route) => MOMENTS.map((moment) => () => once(80, http(route), moment))),
    ...procedures.flatMap((body) => {
      const asked = { head: length(body), body, after: NOTHING };
      return MOMENTS.map((moment) => () => once(PORTMAP_PORT, asked, moment));
    }),
    ...procedures.map((body) => async () => {
      await datagrams(PORTMAP_PORT, [body, body.subarray(0, 20), random.bytes(60)]);
      await datagrams(PORTMAP_PORT, [body], () => body);
      return 4;
    }),
    ...paths.map((path) => () => tftp(path)),
    () => crowd(80, 200),
    () => crowd(PORTMAP_PORT, 200),
  ]);
}

let visits = 0;
for (let done = 0; done < Number(rounds); done += 1) visits += await round();
process.stdout.write(`${visits}\n`);
