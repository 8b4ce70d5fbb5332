import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { WAKE_ON_LAN } from '@walt/contract';
import type { Place } from '../place.ts';
import { type PowerKind, powerFailure } from '../source.ts';

/** The port of `discard` (RFC 863): nobody answers there, and adapters look at the content alone. */
const PORT = 9;
/** A lost frame is not told by anybody. */
const TIMES = 3;

/** Magic packets: an adapter that gets one switches its machine on. No answer, and no other act. */
export function wakeOnLan({ server, broadcast }: Place): PowerKind {
  return {
    ...{ kind: WAKE_ON_LAN, port: 'none', shared: true },
    on: async ({ mac }) => {
      const socket = createSocket('udp4');
      try {
        // An error that nobody asked for is told by the next `send`.
        socket.on('error', () => {});
        socket.bind(0, server);
        await once(socket, 'listening');
        socket.setBroadcast(true);
        const packet = magicPacket(mac);
        for (let sent = 0; sent < TIMES; sent += 1) await send(socket, packet, broadcast);
      } catch (error) {
        throw powerFailure(
          ...([WAKE_ON_LAN, `cannot send: ${error instanceof Error ? error.message : error}`] as const),
          'Look at walt-net on the server: ip netns exec walt ip address',
        );
      } finally {
        socket.close();
      }
    },
  };
}

/** Six bytes of ones, then the address sixteen times (AMD, "Magic Packet Technology", publication 20213). */
export function magicPacket(mac: string): Buffer {
  const address = Buffer.from(mac.replaceAll(':', ''), 'hex');
  if (address.length !== 6) throw new TypeError(`${mac} is no hardware address`);
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => address)]);
}

function send(socket: ReturnType<typeof createSocket>, packet: Buffer, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, PORT, address, (error) => (error ? reject(error) : resolve()));
  });
}
