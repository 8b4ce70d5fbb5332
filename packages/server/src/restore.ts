/** `walt-server restore`. */
import { answers, endSupervisedServer } from './launcher.ts';
import {
  type Config,
  type DescribedCopy,
  describeCopies,
  platformPaths,
  restoreDatabase,
  UserError,
} from './platform/index.ts';
import { serverTables } from './tables.ts';

export interface RestoreOptions {
  list?: boolean;
  json?: boolean;
}

/** Puts a copy of the database in its place: the newest sound one, or the one of that name. Or lists them. */
export async function restoreCopy(
  config: Config,
  options: RestoreOptions,
  name: string | undefined,
  say: (text: string) => void,
): Promise<void> {
  const paths = platformPaths(config);
  if (options.list) {
    const copies = await describeCopies(paths, serverTables);
    if (options.json)
      console.log(JSON.stringify(copies.map(({ counts, ...copy }) => ({ ...copy, ...counts }))));
    else say(copies.map(describeCopy).join('\n') || `There is no copy in ${paths.databaseCopies} yet.`);
    return;
  }
  if (await answers(config)) {
    throw new UserError('CONFLICT', 'The server works with the database.', 'Stop it first: walt-server stop');
  }
  await endSupervisedServer(config); // one that tries to start again and again
  const copy = await restoreDatabase(paths, serverTables, name);
  say(
    `The database is as it was at ${localTime(copy.at)}; the one before is kept beside it, as ${paths.database}.replaced-*.`,
  );
  say(
    'What came later and the copy does not know is kept for 7 days: meanwhile you may restore another copy.',
  );
  say('Now: walt-server start');
}

function describeCopy({ name, at, size, sound, counts }: DescribedCopy): string {
  const counted = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  const content = sound ? counted.join(', ') : 'damaged';
  return `${name}  ${localTime(at)}  ${Math.ceil(size / 1024)} KiB  ${content}`;
}

/** Of Unix seconds. */
export function localTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString('sv-SE');
}
