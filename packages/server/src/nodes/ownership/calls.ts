import { MAX_GUESTS, type nodeContract } from '@walt/contract';
import {
  type Caller,
  type CallsOf,
  demandAll,
  type GuestNames,
  type Guests,
  guestNames,
  guestWords,
  type StandingRights,
} from '../../access/index.ts';
import { nameList, UserError } from '../../platform/index.ts';
import type { NodeGuests, OwnedRow } from './guests.ts';
import { owned, ownerOf } from './owners.ts';

interface Deps {
  guests: NodeGuests;
  /** Who is a login or a group of this machine. */
  logins: Pick<Guests, 'require'>;
  rights: Pick<StandingRights, 'review'>;
  /** The nodes that a caller means. */
  chosen(set: string, caller: Caller): Promise<OwnedRow[]>;
}

/** The contract's calls by which owners let others use their nodes. */
export function createGuestCalls({
  guests,
  logins,
  rights,
  chosen,
}: Deps): Pick<CallsOf<typeof nodeContract>, 'allow' | 'disallow'> {
  const told = async (rows: readonly OwnedRow[]) => {
    const words = await guests.of(rows.map(({ id }) => id));
    return { nodes: rows.map(({ id, name }) => ({ name, ...guestNames(words.get(id) ?? []) })) };
  };

  async function ownedBy(set: string, caller: Caller): Promise<OwnedRow[]> {
    const rows = await chosen(set, caller);
    const free = rows.filter((row) => ownerOf(row) === null);
    if (free.length > 0) throw isFree(free);
    demandAll('node.allow', caller, owned(rows));
    return rows;
  }

  return {
    async allow(caller, { set, ...names }) {
      requireNames(names, 'walt node allow NODE USER, or --group GROUP');
      const rows = await ownedBy(set, caller);
      await guests.allow(rows, await logins.require(names), MAX_GUESTS);
      return await told(rows);
    },

    async disallow(caller, { set, all, ...names }) {
      if (!all) requireNames(names, 'walt node disallow NODE USER, --group GROUP, or --all');
      const rows = await ownedBy(set, caller);
      // Who is none of this machine any more is taken off all the same.
      await guests.disallow(
        rows.map(({ id }) => id),
        all ? 'all' : guestWords(names),
      );
      await rights.review();
      return await told(rows);
    },
  };
}

function requireNames({ users, groups }: GuestNames, usage: string): void {
  if (users.length + groups.length > 0) return;
  throw new UserError('INVALID', 'No login and no group was named.', `Say who: ${usage}`);
}

function isFree(nodes: readonly OwnedRow[]): UserError {
  return new UserError(
    'CONFLICT',
    `${nameList(nodes)} free: everybody may use a free node.`,
    `Make it yours first: walt node acquire ${nodes.map(({ name }) => name).join(',')}`,
  );
}
