import type { ServerStatus } from '@walt/contract';

/** A server's status, whatever it does. */
export function serverStatus(stateFolder: string): Omit<ServerStatus, 'user' | 'role'> {
  return {
    ...{ version: '11.0.0', uptime: 3700, configFile: null, stateFolder, namespace: 'walt' },
    ...{ network: { subnet: '10.73.0.0/16', server: '10.73.0.1' }, accelerator: 'tcg', unguarded: null },
    ...{ adapters: [], dhcpServers: [] },
    ...{ memory: 90_000_000, files: { open: 30, limit: 65_536 }, supervised: true },
    crashes: { count: 2, last: { at: 1_800_000_000, reason: 'killed by signal 9' } },
    logsOutage: null,
    programs: [{ name: 'dnsmasq', pid: 4242, state: 'running', restarts: 0 }],
  };
}
