import type { Checkpoint } from '@walt/contract';
import { type AnyDatabase, type Database, tablesOf, UserError } from '../platform/index.ts';
import type { CheckpointTables } from './tables.ts';

/** Of one user. */
const MAX_CHECKPOINTS = 1000;

/** Moments that users have named. */
export class Checkpoints {
  readonly #database: Database<CheckpointTables>;

  constructor(database: AnyDatabase) {
    this.#database = tablesOf(database);
  }

  /** By time. */
  async of(user: string): Promise<Checkpoint[]> {
    const query = this.#database.selectFrom('log_checkpoint').select(['name', 'at']).where('user', '=', user);
    return await query.orderBy('at').orderBy('name').execute();
  }

  /** Throws UserError CONFLICT when there is one of that name. */
  async add(user: string, checkpoint: Checkpoint): Promise<void> {
    await this.#database.transaction().execute(async (t) => {
      const known = await t.selectFrom('log_checkpoint').select('name').where('user', '=', user).execute();
      if (known.some(({ name }) => name === checkpoint.name)) {
        throw new UserError(
          'CONFLICT',
          `You have a checkpoint ${checkpoint.name} already.`,
          `Choose another name, or remove that one: walt log remove-checkpoint ${checkpoint.name}`,
        );
      }
      if (known.length >= MAX_CHECKPOINTS) {
        throw new UserError(
          'CONFLICT',
          `You have ${known.length} checkpoints, as many as one may have.`,
          'Remove some: walt log list-checkpoints',
        );
      }
      await t
        .insertInto('log_checkpoint')
        .values({ user, ...checkpoint })
        .execute();
    });
  }

  /** Answers what it was. Throws UserError NOT_FOUND. */
  async remove(user: string, name: string): Promise<Checkpoint> {
    const removed = await this.#database
      .deleteFrom('log_checkpoint')
      .where('user', '=', user)
      .where('name', '=', name)
      .returning(['name', 'at'])
      .executeTakeFirst();
    if (removed) return removed;
    throw new UserError(
      'NOT_FOUND',
      `You have no checkpoint ${name}.`,
      'See those that you have with: walt log list-checkpoints',
    );
  }
}
