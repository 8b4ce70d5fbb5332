/** Whom an owner lets use what is his: logins and groups of the machine. */
import { type Log, UserError } from '../platform/index.ts';
import { groupsOf, knownNames } from './users.ts';

/** Milliseconds for which a user's groups are believed. */
const GROUPS_LIFE = 10_000;

/** A login, or `@` and a group, as in `access` of server.conf. */
export type GuestWord = string;

export interface GuestNames {
  users: string[];
  groups: string[];
}

export interface GuestOptions {
  /** Of a login. */
  groupsOf?: (user: string) => Promise<ReadonlySet<string>>;
  userExists?: (name: string) => Promise<boolean>;
  groupExists?: (name: string) => Promise<boolean>;
  /** Unix time in milliseconds. */
  now?: () => number;
}

/** Asks the machine who is meant. Who is in a group is asked while it is used. */
export class Guests {
  readonly #options: Required<GuestOptions>;
  readonly #groups = new Map<string, { groups: Promise<ReadonlySet<string>>; until: number }>();

  constructor(options: GuestOptions = {}) {
    this.#options = {
      groupsOf,
      // A number is looked up as an id: what is found has another name.
      userExists: async (name) => (await knownNames('passwd', [name])).has(name),
      groupExists: async (name) => (await knownNames('group', [name])).has(name),
      now: Date.now,
      ...options,
    };
  }

  /** Throws UserError NOT_FOUND unless the machine knows each. */
  async require({ users, groups }: GuestNames): Promise<GuestWord[]> {
    const { userExists, groupExists } = this.#options;
    for (const user of users) if (!(await userExists(user))) throw unknown('login', 'passwd', user);
    for (const group of groups) if (!(await groupExists(group))) throw unknown('group', 'group', group);
    return guestWords({ users, groups });
  }

  /** Whether one of the words means this user. */
  async include(words: readonly GuestWord[], user: string): Promise<boolean> {
    if (words.includes(user)) return true;
    if (!words.some((word) => word.startsWith('@'))) return false;
    return isNamed({ user, groups: await this.#groupsOf(user) }, words);
  }

  async #groupsOf(user: string): Promise<ReadonlySet<string>> {
    const { groupsOf, now } = this.#options;
    const known = this.#groups.get(user);
    if (known && known.until > now()) return await known.groups;
    const groups = groupsOf(user);
    this.#groups.set(user, { groups, until: now() + GROUPS_LIFE });
    // What could not be asked is asked again.
    groups.catch(() => this.#groups.delete(user));
    return await groups;
  }
}

/** Pure. Whether a list of logins and groups means him. */
export function isNamed(
  { user, groups }: { user: string; groups: ReadonlySet<string> },
  words: readonly GuestWord[],
): boolean {
  return words.some((word) => (word.startsWith('@') ? groups.has(word.slice(1)) : word === user));
}

export function guestWords({ users, groups }: GuestNames): GuestWord[] {
  return [...new Set([...users, ...groups.map((group) => `@${group}`)])];
}

/**
 * Tells the journal which names of a part of server.conf the machine does not know. They are no reason not to start: directories may
 * be away.
 */
export async function warnOfStrangers(
  what: string,
  { users, groups }: GuestNames,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  for (const [database, names, kind] of [
    ['passwd', users, 'users'],
    ['group', groups, 'groups'],
  ] as const) {
    const known = await knownNames(database, names);
    const unknown = names.filter((name) => !known.has(name));
    if (unknown.length === 0) continue;
    log.warn(`server.conf has ${what} for names that this machine does not know`, {
      [kind]: unknown.join(', '),
    });
  }
}

/** Sorted. */
export function guestNames(words: readonly GuestWord[]): GuestNames {
  const [groups, users] = [true, false].map((isGroup) =>
    words.filter((word) => word.startsWith('@') === isGroup).toSorted(),
  ) as [GuestWord[], GuestWord[]];
  return { users, groups: groups.map((word) => word.slice(1)) };
}

function unknown(what: string, database: string, name: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `The server's machine knows no ${what} "${name}".`,
    `See those that it knows with, on that machine: getent ${database}`,
  );
}
