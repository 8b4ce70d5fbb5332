/** Which databases have lines of this platform: that of the configuration, and those that had them before and were not emptied. */
import { Duplex } from 'node:stream';
import {
  type Config,
  fileExists,
  hostNetwork,
  type Paths,
  type PostgresAccess,
  type PostgresPlace,
  readIfPresent,
  streamProgram,
  writeFileAtomic,
} from '../../platform/index.ts';
import type { LogPlace } from './connection.ts';

/** The file of the state folder (`postgres` is null), or a database of PostgreSQL. */
export interface NotedPlace {
  postgres: PostgresPlace | null;
  passwordFile: string | null;
}

type PlacePaths = Pick<Paths, 'logDatabase' | 'logPlaces'>;

export function configuredPlace({ logs }: Pick<Config, 'logs'>): NotedPlace {
  if (!logs.database) return { postgres: null, passwordFile: null };
  return { postgres: logs.database, passwordFile: logs.passwordFile ?? null };
}

/** Whether it is another database, however they are asked. */
export function isElsewhere(a: NotedPlace, b: NotedPlace): boolean {
  const which = ({ postgres }: NotedPlace) =>
    postgres && [postgres.host, postgres.port, postgres.database].join(' ');
  return which(a) !== which(b);
}

/** Those that may have lines. */
export async function placesOf(paths: PlacePaths): Promise<NotedPlace[]> {
  const text = await readIfPresent(paths.logPlaces);
  if (text !== undefined) return JSON.parse(text) as NotedPlace[];
  return (await fileExists(paths.logDatabase)) ? [{ postgres: null, passwordFile: null }] : [];
}

export async function notePlace(paths: PlacePaths, place: NotedPlace): Promise<void> {
  const others = (await placesOf(paths)).filter((known) => isElsewhere(known, place));
  await writeFileAtomic(paths.logPlaces, `${JSON.stringify([...others, place], undefined, 2)}\n`);
}

/** It has no lines any more. */
export async function forgetPlace(paths: PlacePaths, place: NotedPlace): Promise<void> {
  const others = (await placesOf(paths)).filter((known) => isElsewhere(known, place));
  await writeFileAtomic(paths.logPlaces, `${JSON.stringify(others, undefined, 2)}\n`);
}

export function openable(
  { postgres, passwordFile }: NotedPlace,
  paths: PlacePaths,
  reach?: PostgresAccess['reach'],
): LogPlace {
  if (!postgres) return { file: paths.logDatabase };
  return { place: postgres, passwordFile: passwordFile ?? undefined, reach };
}

/** How a program of the platform's namespace reaches hosts: by the host's network, which it has not itself. */
export function hostReach(config: Pick<Config, 'network'>): NonNullable<PostgresAccess['reach']> {
  return (host, port) => {
    const address = `TCP:${host.includes(':') ? `[${host}]` : host}:${port},nodelay,keepalive`;
    const relay = streamProgram(hostNetwork(config, ['socat', 'STDIO', address]), { stdin: 'pipe' });
    // Its types want streams of the web here.
    const { stdout: readable, stdin: writable } = relay as unknown as Record<'stdout' | 'stdin', never>;
    return Duplex.from({ readable, writable });
  };
}
