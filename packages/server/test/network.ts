/** walt-net that is played, for tests of what lies above it. */
import type { Network } from '../src/network/index.ts';
import { lowestFree, parseSubnet } from '../src/network/subnet.ts';
import type { PlayedNeighbours } from './devices.ts';

/** A walt-net of addresses of this machine, other ones in each test file. */
export function loopbackNet(): string {
  return `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}.0/24`;
}

/** walt-net without bridge, DHCP and exports: addresses are all that it has. */
export function playNetwork(text: string, neighbours: PlayedNeighbours): Network {
  const subnet = parseSubnet(text);
  const nothing = async () => {};
  const played: Pick<
    Network,
    | 'server'
    | 'broadcast'
    | 'prefix'
    | 'freeAddress'
    | 'setHosts'
    | 'setExports'
    | 'setRouted'
    | 'ensureTap'
    | 'removeTap'
    | 'others'
    | 'exposed'
    | 'mac'
    | 'forgetLeases'
  > = {
    mac: () => neighbours.mac(),
    forgetLeases: (mac) => neighbours.forgetLeases(mac),
    ...{ server: subnet.server, broadcast: subnet.broadcast, prefix: subnet.prefix },
    freeAddress: async (taken) => lowestFree(subnet, (address) => taken.has(address)),
    ...{ setHosts: nothing, setExports: nothing, setRouted: nothing, ensureTap: nothing, removeTap: nothing },
    exposed: { require: nothing, look: () => new Map(), set: nothing, close: nothing },
    others: {
      require: nothing,
      connect: nothing,
      look: async () => [],
      remove: nothing,
      removeNode: nothing,
    },
  };
  return played as Network;
}
