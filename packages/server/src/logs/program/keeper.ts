import { BlockList } from 'node:net';
import { PLATFORM_ISSUER } from '@walt/contract';
import type { Config, Limits, Log, Paths } from '../../platform/index.ts';
import { storedLine } from './chunk.ts';
import type { LogPlace } from './connection.ts';
import { Control } from './control.ts';
import { NodeEndpoint } from './node-endpoint.ts';
import { Queries } from './queries/index.ts';
import { LogStore } from './store.ts';
import { SyslogEndpoint } from './syslog/index.ts';

/** Milliseconds between two looks for what is too old or too much. */
const TIDY = 600_000;
/** Parts of what lines may take that may be written between two looks. */
const LOOKS = 16;

interface Options {
  place: LogPlace;
  paths: Pick<Paths, 'logSocket'>;
  limits: Pick<Limits, 'machines' | 'clients'>;
  keep: Pick<Config['logs'], 'days' | 'size'>;
  /** Where nodes bring lines. */
  address: string;
  /** 0: one that is free; so are those of `messages`. */
  port: number;
  /** Where whatever is on walt-net sends messages. */
  messages: { syslog: number; netconsole: number };
  /** The first and the last address that nodes have, and that others have, too. */
  nodes: { first: string; last: string };
  machines: { first: string; last: string };
  /** File of queries/thread.ts. */
  thread: URL;
  log: Log;
}

export interface Keeper extends AsyncDisposable {
  port: number;
  syslog: { udp: number; tcp: number; netconsole: number };
}

/** Takes lines, keeps them, tells them, until it is disposed of. */
export async function openKeeper(options: Options): Promise<Keeper> {
  const { paths, limits, keep, log, nodes, machines } = options;
  const store = await LogStore.open(options.place, log);
  const queries = new Queries(store, options.thread, log);
  const isIssuer = within(nodes);
  const endpoint = new NodeEndpoint({ store, log, limits: limits.machines, isIssuer });
  const syslog = new SyslogEndpoint({ store, log, limits: limits.machines, isMachine: within(machines) });
  const control = new Control({ store, queries, syslog, log, limits: limits.clients });
  await control.listen(paths.logSocket);
  const port = await endpoint.listen(options.address, options.port);
  const syslogPorts = await syslog.listen(options.address, options.messages);
  const timer = setInterval(() => {
    tidy(store, keep, log).catch((error) => {
      if (!store.away) log.error('cannot remove old lines', { reason: String(error) });
    });
  }, TIDY).unref();
  const watch = boundOften(store, keep, log);
  return {
    port,
    syslog: syslogPorts,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      watch[Symbol.dispose]();
      await Promise.all([endpoint.close(), syslog.close(), control.close()]);
      await store.close();
    },
  };
}

function within({ first, last }: { first: string; last: string }): (ip: string) => boolean {
  const addresses = new BlockList();
  addresses.addRange(first, last);
  return (ip) => addresses.check(ip);
}

/** Removes what is too much as soon as that may be: between two looks at the clock, a node can fill the disk. */
export function boundOften(store: LogStore, keep: Options['keep'], log: Log): Disposable {
  let looked = store.written;
  let isLooking = false;
  return store.follow(() => {
    if (isLooking || store.written - looked < keep.size / LOOKS) return;
    looked = store.written;
    isLooking = true;
    drop(store, keep, log)
      .catch((error) => {
        if (!store.away) log.error('cannot remove old lines', { reason: String(error) });
      })
      .finally(() => {
        isLooking = false;
      });
  });
}

/** Removes what is too old or too much. */
export async function tidy(store: LogStore, keep: Options['keep'], log: Log): Promise<void> {
  await store.tidy();
  await drop(store, keep, log);
}

/** Lines that are too old or too many go; a line says so. */
async function drop(store: LogStore, { days, size }: Options['keep'], log: Log): Promise<void> {
  const gone = await store.drop((Date.now() - days * 86_400_000) * 1000, size);
  if (gone === 0) return;
  log.info('old lines went', { lines: gone });
  const words = `${gone} lines went: they were older than ${days} days, or all lines took more than ${size / 2 ** 20} MiB.`;
  const lines = [storedLine(Date.now() * 1000, Buffer.from(words))];
  await store.append({ issuer: PLATFORM_ISSUER, streams: new Map([['platform.logs', lines]]) });
}
