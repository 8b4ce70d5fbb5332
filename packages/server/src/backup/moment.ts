import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { imageDigestsIn } from '../images/index.ts';
import {
  answers,
  askServer,
  type Config,
  copyClosedDatabase,
  openCopy,
  platformPaths,
  UserError,
} from '../platform/index.ts';

/** What a backup saves of images and database: how they are at one moment. */
export interface Moment extends AsyncDisposable {
  /** A copy of the database of that moment. */
  database: string;
  /** Digests of the images that it names; while a server runs, none of them is removed. */
  images: string[];
  /** Throws UserError UNAVAILABLE when the server ended meanwhile, and with it the promise to keep them. */
  requireHeld(): void;
}

/** The database as it is now, and its images kept until the moment is disposed of. */
export async function theMoment(config: Config, work: string): Promise<Moment> {
  const paths = platformPaths(config);
  if (!(await answers({ path: paths.rootSocket }))) {
    if (await answers({ path: paths.socket })) throw olderServer();
    const database = join(work, 'walt.db');
    await copyClosedDatabase(paths.database, database);
    return { database, images: digestsIn(database), requireHeld() {}, async [Symbol.asyncDispose]() {} };
  }
  const letGo = new AbortController();
  const held = askServer(paths.rootSocket, 'hold', letGo.signal);
  const { value } = await held.next();
  const { copy: database } = value as { copy: string };
  let failure: unknown;
  // It says nothing more before it ends.
  const end = held.next().then(
    () => {},
    (error: unknown) => {
      failure = error;
    },
  );
  return {
    database,
    images: digestsIn(database),
    requireHeld() {
      if (failure) throw failure;
    },
    async [Symbol.asyncDispose]() {
      letGo.abort();
      await end;
    },
  };
}

function digestsIn(file: string): string[] {
  using copy: DatabaseSync | undefined = openCopy(file);
  if (!copy) throw new Error(`the copy ${file} of the database is not sound`);
  return imageDigestsIn(copy);
}

function olderServer(): UserError {
  return new UserError(
    'UNAVAILABLE',
    'The server that runs is of an older version, which knows no backups.',
    'Start a new one, nodes go on: walt-server restart',
  );
}
