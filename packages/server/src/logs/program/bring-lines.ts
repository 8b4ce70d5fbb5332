import { rm } from 'node:fs/promises';
import { type Config, type Paths, syncFolder } from '../../platform/index.ts';
import { openPlace } from './connection.ts';
import { moveLines, removeTables } from './move.ts';
import {
  configuredPlace,
  forgetPlace,
  isElsewhere,
  type NotedPlace,
  notePlace,
  openable,
  placesOf,
} from './places.ts';

/** Milliseconds between two words of how far it is. */
const WORD = 2000;

/**
 * Moves the lines of a platform that does not run to where its configuration says, from wherever they are; those databases are emptied
 * when all lines were found in the new one. May be killed, and repeated. Throws UserError.
 */
export async function bringLines(
  config: Pick<Config, 'logs'>,
  paths: Pick<Paths, 'state' | 'logDatabase' | 'logPlaces'>,
  say: (text: string) => void,
): Promise<void> {
  const here = configuredPlace(config);
  const others = (await placesOf(paths)).filter((place) => isElsewhere(place, here));
  if (others.length === 0) return say(`All lines are in ${nameOf(here, paths)}.`);
  await using target = await opened(here, paths);
  // What it has must be found also if the configuration is changed once more.
  await notePlace(paths, here);
  for (const place of others) {
    say(`Moving lines from ${nameOf(place, paths)} to ${nameOf(here, paths)} …`);
    let last = Date.now();
    {
      await using source = await opened(place, paths);
      const lines = await moveLines(source.database, target.database, (done, all) => {
        if (Date.now() < last + WORD) return;
        last = Date.now();
        say(`${done} of ${all} lines (${Math.floor((100 * done) / Math.max(all, 1))} %)`);
      });
      say(`${lines} lines are moved, and were compared.`);
      if (place.postgres) await removeTables(source.database);
    }
    if (!place.postgres) await removeFile(paths);
    await forgetPlace(paths, place);
  }
}

async function opened(place: NotedPlace, paths: Pick<Paths, 'logDatabase' | 'logPlaces'>) {
  // From the host's side: every host is reached from here.
  const { database, close } = await openPlace(openable(place, paths));
  return { database, [Symbol.asyncDispose]: close };
}

/** It is closed: nothing of it is left in the files beside it. */
async function removeFile({ state, logDatabase }: Pick<Paths, 'state' | 'logDatabase'>): Promise<void> {
  for (const name of ['', '-wal', '-shm']) await rm(`${logDatabase}${name}`, { force: true });
  await syncFolder(state);
}

function nameOf({ postgres }: NotedPlace, { logDatabase }: Pick<Paths, 'logDatabase'>): string {
  return postgres ? `database ${postgres.database} of PostgreSQL at ${postgres.host}` : logDatabase;
}
