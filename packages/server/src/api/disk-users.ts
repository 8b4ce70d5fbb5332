import type { Caller } from '../access/index.ts';
import { DiskFull, type Log } from '../platform/index.ts';
import { isAsyncIterable } from './events.ts';

interface Deps {
  diskUsers: { sentence(caller: Caller): Promise<string> };
  log: Pick<Log, 'warn'>;
}

/** Does it; where the disk is full, the caller is told who has how much of it, too. `act` may answer events. */
export async function namingDiskUsers<Result extends { output: unknown }>(
  deps: Deps,
  caller: Caller,
  act: () => PromiseLike<Result> | Result,
): Promise<Result> {
  try {
    const result = await act();
    if (!isAsyncIterable(result.output)) return result;
    return { ...result, output: events(deps, caller, result.output) };
  } catch (error) {
    throw await named(deps, caller, error);
  }
}

async function* events(deps: Deps, caller: Caller, all: AsyncIterable<unknown>) {
  try {
    yield* all;
  } catch (error) {
    throw await named(deps, caller, error);
  }
}

async function named({ diskUsers, log }: Deps, caller: Caller, error: unknown): Promise<unknown> {
  if (!(error instanceof DiskFull)) return error;
  try {
    return error.naming(await diskUsers.sentence(caller));
  } catch (reason) {
    log.warn('cannot tell who uses the disk', { reason: String(reason) });
    return error;
  }
}
