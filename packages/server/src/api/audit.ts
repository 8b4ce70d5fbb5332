/** Who did what, from where, with which result: a line for each call, stream and file that asks more than looking. */
import { ORPCError } from '@orpc/server';
import { type Caller, demandRole, LostRight, type Role } from '../access/index.ts';
import { eventText, isUserError } from '../platform/index.ts';
import { isAsyncIterable } from './events.ts';

/** Takes a line. */
export type Audit = (line: string) => void;

/** What of an input is told: names of things. Commands, Dockerfiles and passwords are their user's. */
const NAMES = [
  'set',
  'node',
  'port',
  'device',
  'image',
  'name',
  'newName',
  'path',
  'session',
  'label',
  'settings',
];
/** Characters of each. */
const MAX_TEXT = 200;

interface Deed {
  /** `node.boot`; of a stream, `stream tcp`. */
  name: string;
  /** The role that it asks. */
  least: Role;
  /** Of a user, unchecked. */
  input: unknown;
  /** From where he asks. */
  origin(): Promise<string>;
}

/**
 * Does it, if the caller's role is enough, and tells about it, once it is done or has failed. `act` may answer events, whose end is
 * then the end of it.
 */
export async function audited<Result extends { output: unknown }>(
  audit: Audit,
  caller: Caller,
  { name, least, input, origin }: Deed,
  act: () => PromiseLike<Result> | Result,
): Promise<Result> {
  if (least === 'viewer') return await act();
  // While he waits for the answer: afterwards, nobody knows where he was.
  const from = origin();
  const tell = async (result: string) => audit(auditText(caller.user, name, input, await from, result));
  try {
    demandRole(caller, least);
    const result = await act();
    if (isAsyncIterable(result.output)) return { ...result, output: withEnd(result.output, tell) };
    await tell('done');
    return result;
  } catch (error) {
    const told = tell(failureOf(error));
    // Who loses a right is cut off at that moment, whatever is known of him.
    if (!(error instanceof LostRight)) await told;
    throw error;
  }
}

/** `input`: of a user, unchecked. */
export function auditText(user: string, deed: string, input: unknown, from: string, result: string): string {
  const fields = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {};
  const told = NAMES.flatMap((name): [string, string][] => {
    const text = Object.hasOwn(fields, name) ? textOf(fields[name]) : undefined;
    return text ? [[name, text.slice(0, MAX_TEXT)]] : [];
  });
  return eventText(`${user} ${deed}`, { ...Object.fromEntries(told), from, result });
}

/** How it ended, in a word. */
export function failureOf(error: unknown): string {
  return isUserError(error) || error instanceof ORPCError ? error.code : 'failed';
}

/** Never throws, whatever the input: what was done would have no line. */
function textOf(value: unknown): string | undefined {
  if (!Array.isArray(value)) return wordOf(value);
  // Settings of nodes.
  return value
    .slice(0, MAX_TEXT)
    .flatMap((one) => (typeof one?.name === 'string' ? `${one.name}=${wordOf(one.value)}` : []))
    .join(' ');
}

/** What is an object has a `toString` of its user's choice. */
function wordOf(value: unknown): string | undefined {
  return typeof value === 'object' || value === undefined ? undefined : String(value);
}

async function* withEnd(events: AsyncIterable<unknown>, tell: (result: string) => Promise<void>) {
  let result = 'left';
  try {
    yield* events;
    result = 'done';
  } catch (error) {
    result = failureOf(error);
    throw error;
  } finally {
    await tell(result);
  }
}
