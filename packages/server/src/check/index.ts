/** `walt-server check`: whether what the server has on disk fits together. Done by the running server, told by its root socket. */
export { checkPersist } from './persist.ts';

import { type Finding, left, openCopy, type RootAct } from '../platform/index.ts';

interface Parts {
  /** A copy of the database, which is looked over when it is made. */
  copy(): Promise<{ path: string }>;
  images(repair: boolean): AsyncIterable<Finding>;
  persist(): AsyncIterable<Finding>;
}

export function checkPlatform({ copy, images, persist }: Parts, repair: boolean): RootAct {
  return async function* () {
    yield* checkDatabase(copy);
    yield* images(repair);
    yield* persist();
  };
}

async function* checkDatabase(copy: Parts['copy']): AsyncGenerator<Finding> {
  const next =
    'Put an older copy in its place: walt-server stop, then walt-server restore (--list shows them)';
  try {
    using opened = openCopy((await copy()).path);
    const broken = opened?.prepare('PRAGMA foreign_key_check').all() ?? [];
    const tables = new Set(broken.map(({ table }) => String(table)));
    for (const table of tables)
      yield left('database', `Rows of the table ${table} name others that are not there.`, next);
  } catch (error) {
    yield left(
      'database',
      `The database cannot be copied: ${error instanceof Error ? error.message : error}`,
      next,
    );
  }
}
