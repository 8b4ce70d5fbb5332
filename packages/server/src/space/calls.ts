import { PLATFORM_OWNER, type spaceCalls, userName } from '@walt/contract';
import { type CallsOf, demand } from '../access/index.ts';
import type { DiskUsers } from './disk-usage.ts';
import { describeQuotas, NOTHING_USED, type Quotas, type Uses } from './quotas.ts';

/** A part of the platform of which users have something. */
export interface Holdings {
  usesOf(user: string): Promise<Partial<Uses>>;
  /** All who have something. */
  users(): Promise<string[]>;
}

/** The contract's calls about who has how much. */
export function createSpaceCalls(
  quotas: Quotas,
  parts: readonly Holdings[],
  disk: Pick<DiskUsers, 'of'>,
): CallsOf<typeof spaceCalls> {
  async function of(user: string) {
    const uses = await Promise.all(parts.map((part) => part.usesOf(user)));
    return {
      ...{ user, known: await quotas.knows(user) },
      quotas: describeQuotas(await quotas.of(user), Object.assign({}, NOTHING_USED, ...uses)),
    };
  }
  return {
    diskUsage: (caller) => disk.of(caller),

    async quotas(caller, { all }) {
      if (!all) return [{ ...(await of(caller.user)), known: true }];
      demand('quota.ofOthers', caller, {});
      const users = [...quotas.named.users, ...(await Promise.all(parts.map((part) => part.users()))).flat()];
      const told = [...new Set([caller.user, ...users])].filter(
        (user) => user !== PLATFORM_OWNER && userName.safeParse(user).success,
      );
      return await Promise.all(told.sort().map(of));
    },
  };
}
