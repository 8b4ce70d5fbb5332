/** Quotas of users: which hold for whom, and what who would pass them is told. */
import type { Quota } from '@walt/contract';
import { type GuestNames, groupsIfKnown, type Role, roleOf } from '../access/index.ts';
import {
  type AccessConfig,
  QUOTA_NAMES,
  type QuotaConfig,
  type QuotaName,
  UserError,
} from '../platform/index.ts';

/** Milliseconds for which a user's groups are believed. */
const GROUPS_LIFE = 10_000;

/** How much a user may have of something, and which entry of server.conf says so. */
interface Bound {
  most: number;
  from: string;
}

/** What is absent has no bound. */
export type Bounds = Readonly<Partial<Record<QuotaName, Bound>>>;

/** A thing of a user's, and how much it takes. */
export interface Item {
  name: string;
  amount: number;
}

export type Uses = Readonly<Record<QuotaName, readonly Item[]>>;

export const NOTHING_USED: Uses = { 'virtual-nodes': [], cores: [], memory: [], images: [], persist: [] };

interface Login {
  user: string;
  groups: ReadonlySet<string>;
  role: Role | undefined;
}

/** Pure. What says most of him holds: his login, then his groups (of several the largest), his role, the default. */
export function boundsOf({ user, groups, role }: Login, config: QuotaConfig): Bounds {
  const own = QUOTA_NAMES.flatMap((name) => {
    const ofGroups = [...groups].flatMap((group) => {
      const most = config.groups.get(group)?.[name];
      return most === undefined ? [] : [{ most, from: `quotas.groups.${group}` }];
    });
    const candidates = [
      { most: config.users.get(user)?.[name], from: `quotas.users.${user}` },
      ...ofGroups.sort((a, b) => b.most - a.most),
      { most: config.roles.get(role ?? '')?.[name], from: `quotas.roles.${role}` },
      { most: config.default[name], from: 'quotas.default' },
    ];
    const found = candidates.find((one): one is Bound => one.most !== undefined);
    return found && Number.isFinite(found.most) ? [[name, found] as const] : [];
  });
  return Object.fromEntries(own);
}

const WORDS: Record<QuotaName, { what: string; hint: string }> = {
  'virtual-nodes': {
    what: 'virtual nodes',
    hint: 'Remove a node that you no longer need (walt node remove NODE)',
  },
  cores: {
    what: 'cores of virtual nodes',
    hint: 'Ask for fewer cores, or give some back (walt node config NODE cpu.cores=1)',
  },
  memory: {
    what: 'memory of virtual nodes',
    hint: 'Ask for less memory, or give some back (walt node config NODE ram=512M)',
  },
  images: {
    what: 'image space',
    hint: 'Remove an image (walt image remove NAME), and its older versions (walt image prune NAME)',
  },
  persist: {
    what: '/persist space',
    hint: 'Release a node (walt node release NODE), or boot without it (walt node config NODE mount.persist=false)',
  },
};

/** Items that a sentence names. */
const NAMED = 3;

/**
 * Pure. Throws UserError FORBIDDEN when `after` is more than before and more than the user may have. What is less than it was may still
 * be too much: a quota was lowered, and nobody is kept from giving something back.
 */
export function requireWithin(user: string, bounds: Bounds, before: Uses, after: Uses): void {
  for (const name of QUOTA_NAMES) {
    const bound = bounds[name];
    if (!bound) continue;
    const [used, wanted] = [sum(before[name]), sum(after[name])];
    if (wanted > used && wanted > bound.most) throw passed(user, name, bound, before[name], wanted - used);
  }
}

/** As `requireWithin`, where it is not known yet how much will be wanted. */
export function requireSomeLeft(user: string, bounds: Bounds, uses: Uses, name: QuotaName): void {
  const bound = bounds[name];
  if (bound && sum(uses[name]) >= bound.most) throw passed(user, name, bound, uses[name], 0);
}

function passed(
  user: string,
  name: QuotaName,
  bound: Bound,
  items: readonly Item[],
  more: number,
): UserError {
  const { what, hint } = WORDS[name];
  const by = largest(items);
  const used = `${tell(name, sum(items))} ${isNumber(name) ? 'are' : 'is'} in use`;
  const needs = more > 0 ? `, and this needs ${tell(name, more)} more` : '';
  return new UserError(
    'FORBIDDEN',
    `The quota of ${user} is ${tell(name, bound.most)} ${isNumber(name) ? '' : 'of '}${what} (${bound.from} in server.conf): ` +
      `${used}${by === '' ? '' : ` (${by})`}${needs}.`,
    `${hint}, or ask the administrator. See all with: walt advanced quotas`,
  );
}

/** `a, b, c and 2 more`, the largest first. */
function largest(items: readonly Item[]): string {
  const sorted = items.filter(({ amount }) => amount > 0).sort((a, b) => b.amount - a.amount);
  const named = sorted.slice(0, NAMED).map((item) => item.name);
  if (sorted.length > NAMED) return `${named.join(', ')} and ${sorted.length - NAMED} more`;
  return named.join(', ');
}

/** A number of things, or bytes in MiB, in which server.conf counts. */
function tell(name: QuotaName, amount: number): string {
  return isNumber(name) ? String(amount) : `${Math.ceil(amount / (1024 * 1024))} MiB`;
}

function isNumber(name: QuotaName): boolean {
  return name === 'virtual-nodes' || name === 'cores';
}

function sum(items: readonly Item[]): number {
  return items.reduce((total, { amount }) => total + amount, 0);
}

interface Options {
  config: QuotaConfig;
  access: AccessConfig;
  groupsOf?: (user: string) => Promise<ReadonlySet<string> | undefined>;
  /** Unix time in milliseconds. */
  now?: () => number;
}

/** What each user may have, by server.conf and the groups of this machine. */
export class Quotas {
  readonly #config: QuotaConfig;
  readonly #access: AccessConfig;
  readonly #groupsOf: (user: string) => Promise<ReadonlySet<string> | undefined>;
  readonly #now: () => number;
  readonly #known = new Map<string, { groups: ReadonlySet<string> | undefined; until: number }>();

  constructor({ config, access, groupsOf = groupsIfKnown, now = Date.now }: Options) {
    this.#config = config;
    this.#access = access;
    this.#groupsOf = groupsOf;
    this.#now = now;
  }

  /** Of somebody who need not be a user of the machine any more. */
  async of(user: string): Promise<Bounds> {
    const { default: all, roles, groups, users } = this.#config;
    if (Object.keys(all).length + roles.size + groups.size + users.size === 0) return {};
    const known = await this.#groups(user);
    const login = { uid: user === 'root' ? 0 : -1, user, groups: known ?? new Set<string>() };
    const role = known && roleOf(login, this.#access);
    return boundsOf({ ...login, role }, this.#config);
  }

  /** Whether the machine knows him. */
  async knows(user: string): Promise<boolean> {
    return (await this.#groups(user)) !== undefined;
  }

  /** Logins and groups that the configuration names. */
  get named(): GuestNames {
    return { users: [...this.#config.users.keys()], groups: [...this.#config.groups.keys()] };
  }

  async #groups(user: string): Promise<ReadonlySet<string> | undefined> {
    const now = this.#now();
    const known = this.#known.get(user);
    if (known && known.until > now) return known.groups;
    const groups = await this.#groupsOf(user);
    this.#known.set(user, { groups, until: now + GROUPS_LIFE });
    return groups;
  }
}

/** For clients. */
export function describeQuotas(bounds: Bounds, uses: Uses): Quota[] {
  return QUOTA_NAMES.map((name) => ({
    ...{
      name,
      used: sum(uses[name]),
      by: uses[name].map(({ name: thing, amount }) => ({ name: thing, amount })),
    },
    ...{ most: bounds[name]?.most ?? null, from: bounds[name]?.from ?? null },
  }));
}
