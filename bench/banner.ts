/** Connects to port 22 of ADDRESS until an SSH server greets; ends then. usage: banner.ts ADDRESS */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between attempts: what the result may be late by. */
const PAUSE = 20;
/** Milliseconds until an attempt counts as lost: packets to a machine without an address get no answer. */
const LIMIT = 250;

const address = process.argv[2];
if (!address) throw new TypeError('usage: banner.ts ADDRESS');
while (!(await greets(address))) await delay(PAUSE);

function greets(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 22 });
    const settle = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    let timer = setTimeout(() => settle(false), LIMIT);
    socket.once('connect', () => {
      // sshd has the connection: under load its first words may take longer than a lost packet.
      clearTimeout(timer);
      timer = setTimeout(() => settle(false), 10_000);
    });
    socket.once('data', (data) => settle(data.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}
