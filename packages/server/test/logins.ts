import type { GuestOptions } from '../src/access/index.ts';

/** Logins and groups of a machine that is played: alice, bob and carol, and who is in which group. */
export function playLogins(): { groups: Map<string, Set<string>>; logins: Required<GuestOptions> } {
  const groups = new Map<string, Set<string>>();
  let clock = 0;
  const logins = {
    userExists: async (name: string) => ['alice', 'bob', 'carol'].includes(name),
    groupExists: async (name: string) => groups.has(name),
    groupsOf: async (user: string) =>
      new Set([...groups].flatMap(([name, users]) => (users.has(user) ? [name] : []))),
    // Groups are believed for ten seconds: each question comes later.
    now: () => (clock += 10_001),
  };
  return { groups, logins };
}
