/**
 * Program `walt-logs`: takes lines of nodes and of the server, keeps them, tells them. It goes on while the server is away. Runs in
 * the platform's network namespace. Usage: ADDRESS FIRST LAST END BUILD — its own address there, the first and the last that nodes
 * have, and the last of all machines; BUILD tells one version of the program from another.
 */
import { createLog, loadConfig, platformPaths } from '../../platform/index.ts';

import { openKeeper } from './keeper.ts';
import { configuredPlace, hostReach, isElsewhere, notePlace, openable, placesOf } from './places.ts';

/** TCP port on walt-net, as of older versions of WalT. */
const PORT = 12_347;
/** Of syslog (RFC 5426, 3.3). */
const SYSLOG_PORT = 514;
/** As of older versions of WalT. */
const NETCONSOLE_PORT = 12_342;

const log = createLog('logs');
process.on('uncaughtException', (error) => {
  log.error('a mistake ends the program', { error: error.stack ?? String(error) });
  process.exit(70);
});

const [address = '', first = '', last = '', end = ''] = process.argv.slice(2);
const config = await loadConfig();
const paths = platformPaths(config);
const here = configuredPlace(config);
if ((await placesOf(paths)).some((place) => isElsewhere(place, here))) {
  log.warn('older lines are in another database', { hint: 'walt-server migrate-logs brings them' });
}
const keeper = await openKeeper({
  place: { ...openable(here, paths, hostReach(config)), opened: () => notePlace(paths, here) },
  ...{ paths, limits: config.limits, keep: config.logs, log },
  ...{ address, port: PORT, nodes: { first, last } },
  ...{ messages: { syslog: SYSLOG_PORT, netconsole: NETCONSOLE_PORT }, machines: { first, last: end } },
  thread: new URL('./query-thread.js', import.meta.url),
});
log.info('keeps lines', { address, port: keeper.port });

async function stop(): Promise<void> {
  await keeper[Symbol.asyncDispose]();
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    stop().catch((error) => {
      log.error('cannot end cleanly', { reason: String(error) });
      process.exit(1);
    });
  });
}
