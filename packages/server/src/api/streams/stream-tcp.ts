import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { dial, hasErrno, UserError } from '../../platform/index.ts';
import { receiveAll, sendAll, sendFrame } from './pump.ts';

/** A node, or a device that is none. */
export interface Reached {
  name: string;
  ip: string;
  type: 'virtual' | 'physical' | 'device';
}

/** Milliseconds; a node on walt-net answers within one, or after some retransmissions while it boots. */
const CONNECT_LIMIT = 10_000;
/** Milliseconds without progress. */
const FLUSH_LIMIT = 10_000;

/**
 * Relays a WebSocket to a TCP port of a node, at that node's own address only. A client may end its direction by the frame
 * `end` (what it asked for still comes). The node's end ends the relay, unless the client has `both` directions ended. Throws UNAVAILABLE when the node does not answer.
 */
export async function serveTcp(client: WebSocket, node: Reached, port: number, both = false): Promise<void> {
  const tcp = await open(node, port, client);
  client.once('close', () => {
    // What the client sent before it left still goes out, unless the node does not take it.
    tcp.setTimeout(FLUSH_LIMIT, () => tcp.destroy());
    tcp.destroySoon();
  });
  receiveAll(client, tcp, (frame) => {
    if (frame.type === 'end') tcp.end();
  });
  const sent = sendAll(tcp, client);
  client.resume();
  try {
    await sent;
    if (both && !tcp.writableEnded && !tcp.destroyed) {
      sendFrame(client, { type: 'end' });
      await new Promise((resolve) => tcp.once('close', resolve));
    }
  } catch (error) {
    if (!hasErrno(error, 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH')) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `The connection to port ${port} of ${nameOf(node)} broke.`,
      `See whether it still runs: walt device ping ${node.name}`,
    );
  } finally {
    tcp.destroy();
  }
}

async function open(node: Reached, port: number, client: WebSocket): Promise<Socket> {
  const left = new AbortController();
  const abandon = () => left.abort();
  client.once('close', abandon);
  const where = { host: node.ip, port, noDelay: true, allowHalfOpen: true };
  try {
    return await dial(where, { timeout: CONNECT_LIMIT, signal: left.signal });
  } catch (error) {
    if (hasErrno(error, 'ECONNREFUSED')) throw unanswered(node, port, 'refuses connections');
    const silent = hasErrno(error, 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNRESET');
    throw silent || left.signal.aborted ? unanswered(node, port, 'does not answer') : error;
  } finally {
    client.off('close', abandon);
  }
}

function unanswered(node: Reached, port: number, what: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `Port ${port} of ${nameOf(node)} ${what}.`,
    node.type === 'device'
      ? `See whether it is there: walt device ping ${node.name}`
      : `See what the node does: walt node console ${node.name}`,
  );
}

function nameOf({ name, type }: Reached): string {
  return type === 'device' ? name : `node ${name}`;
}
