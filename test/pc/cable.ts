/**
 * The cable of a machine in QEMU: carries its frames to a tap, and prints what the machine asks for. Run in the platform's network
 * namespace: `cable.ts TAP [disguise]`; prints `ports FROM TO` first, for QEMU's `-netdev dgram`.
 */
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { answerOf, disguise, questionOf } from './frames.ts';

const [tap = '', mode] = process.argv.slice(2);
const HOST = '127.0.0.1';
const BUFFER = 4 * 1024 * 1024;

async function open(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER, sendBufferSize: BUFFER });
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

/** A port that is free now, for a program that binds it at once. */
async function freePort(): Promise<number> {
  const socket = await open();
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

const [machine, wall] = [await open(), await open()];
const [machinePort, wallPort] = [await freePort(), await freePort()];
let last = '';
let isDisguised = mode === 'disguise';

machine.on('message', (frame) => {
  // What the boot ROM loads then asks in its own name.
  if (questionOf(frame)?.startsWith('tftp ')) isDisguised = false;
  if (isDisguised) disguise(frame);
  const question = questionOf(frame);
  if (question) {
    process.stdout.write(`${question}\n`);
    last = question;
  }
  wall.send(frame, wallPort, HOST);
});
wall.on('message', (frame) => {
  const size = answerOf(frame);
  if (size !== undefined) process.stdout.write(`answer ${size} to ${last}\n`);
  machine.send(frame, machinePort, HOST);
});

const words = ['-b', '65536', `UDP4-DATAGRAM:${HOST}:${wall.address().port},bind=${HOST}:${wallPort}`];
const socat = spawn(
  'setpriv',
  ['--pdeathsig', 'KILL', '--', 'socat', ...words, `TUN,tun-type=tap,tun-name=${tap},iff-no-pi`],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
socat.on('exit', () => process.exit(1));
// Whoever started us is gone.
process.stdin.on('end', () => process.exit(0)).resume();
process.stdout.write(`ports ${machine.address().port} ${machinePort}\n`);
