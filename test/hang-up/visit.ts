/** One connection to a server, which misbehaves in one way. */
import { connect, type NetConnectOpts } from 'node:net';

export interface Asked {
  /** The request's head, as it goes over the wire. */
  head: Buffer;
  body: Buffer;
  /** What follows once the server has begun to answer: frames of a WebSocket. */
  after: Buffer;
}

/** Where a visitor leaves, or how he goes wrong. */
export const MOMENTS = [
  'says nothing',
  'leaves in the head',
  'leaves before the body',
  'leaves in the body',
  'leaves before the answer',
  'leaves in the answer',
  'sends junk as a body',
  'sends junk as a request',
  'sends too much',
  'stays',
] as const;
export type Moment = (typeof MOMENTS)[number];

/** Milliseconds for an answer that does not end. */
const PATIENCE = 1200;
const TOO_MUCH = Buffer.alloc(3 * 1024 * 1024, '7');

/** Resolves, once the connection is closed, to what came. Never rejects: what the server does with it shows elsewhere. */
export function visit(where: NetConnectOpts, asked: Asked, moment: Moment, junk: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(where);
    let came = '';
    const leave = () => void socket.destroy();
    const timer = setTimeout(leave, PATIENCE);
    const { now, later } = plan(asked, moment, junk);
    socket.on('connect', () => {
      if (now.length === 0) leave();
      else socket.write(now, moment.startsWith('leaves') && !later ? leave : undefined);
    });
    socket.on('data', (chunk) => {
      if (came === '' && later) {
        if (later === 'leave') leave();
        else socket.write(later);
      }
      if (came.length < 1_000_000) came += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(came);
    });
  });
}

/** What is sent at once, and what happens when the answer begins. */
function plan(asked: Asked, moment: Moment, junk: Buffer): { now: Buffer; later?: Buffer | 'leave' } {
  const { head, body, after } = asked;
  const whole = Buffer.concat([head, body]);
  switch (moment) {
    case 'says nothing':
      return { now: Buffer.alloc(0) };
    case 'leaves in the head':
      return { now: head.subarray(0, head.length / 2) };
    case 'leaves before the body':
      return { now: head };
    case 'leaves in the body':
      return { now: whole.subarray(0, head.length + body.length / 2) };
    case 'leaves before the answer':
      return { now: whole };
    case 'leaves in the answer':
      return { now: whole, later: 'leave' };
    case 'sends junk as a body':
      return { now: Buffer.concat([head, junk, body]).subarray(0, whole.length), later: junk };
    case 'sends junk as a request':
      return { now: junk };
    case 'sends too much':
      return { now: Buffer.concat([whole, TOO_MUCH]), later: TOO_MUCH };
    case 'stays':
      return { now: whole, later: after };
  }
}
