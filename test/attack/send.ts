import { createSocket, type SocketType } from 'node:dgram';
import { connect, type NetConnectOpts } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Datagrams that are sent before a pause of a millisecond, so that the server's buffer does not just drop them. */
const BURST = 32;
/** Milliseconds for an answer that does not come, as long as few have come: a busy server is slow. */
const PATIENCE = 500;
/** Answers on connections after which it is known that the server is there, and the milliseconds for one from then on. */
const SURE = 200;
const HASTE = 20;

interface Datagrams {
  port: number;
  address: string;
  /** Port to send from, where the protocol wants one. */
  from?: number;
  broadcast?: boolean;
  type?: SocketType;
  /** Answers what comes. */
  answer?: (packet: Buffer) => Buffer | undefined;
}

/** Sends datagrams, and answers what comes. Resolves to the number of answers. */
export async function sendDatagrams(to: Datagrams, packets: Iterable<Buffer>): Promise<number> {
  const socket = createSocket(to.type ?? 'udp4');
  let answers = 0;
  socket.on('error', () => {});
  socket.on('message', (packet, { port, address }) => {
    answers += 1;
    const reply = to.answer?.(packet);
    if (reply) socket.send(reply, port, address, () => {});
  });
  await new Promise<void>((resolve) => socket.bind(to.from ?? 0, () => resolve()));
  if (to.broadcast) socket.setBroadcast(true);
  let sent = 0;
  for (const packet of packets) {
    await new Promise((resolve) => socket.send(packet, to.port, to.address, resolve));
    sent += 1;
    if (sent % BURST === 0) await delay(1);
  }
  await delay(PATIENCE);
  socket.close();
  return answers;
}

/** Sends each piece on a connection of its own, `parallel` at a time. Resolves to the number of those that were answered. */
export async function sendStreams(
  to: NetConnectOpts,
  pieces: Iterator<Buffer>,
  parallel: number,
): Promise<number> {
  let answers = 0;
  const worker = async () => {
    for (let next = pieces.next(); !next.done; next = pieces.next()) {
      if (await talk(to, next.value, answers < SURE ? PATIENCE : HASTE)) answers += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return answers;
}

/** Whether something came back until the connection ended, or nothing more came. */
function talk(to: NetConnectOpts, piece: Buffer, patience: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(to);
    let came = false;
    socket.setTimeout(patience, () => socket.destroy());
    socket.on('connect', () => socket.write(piece));
    socket.on('data', () => {
      came = true;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(came));
  });
}

/** So many packets, made one at a time. */
export function* packets(count: number, make: (at: number) => Buffer): Generator<Buffer, void> {
  for (let at = 0; at < count; at += 1) yield make(at);
}
