/** What a login may do on the platform at all. What is whose, policy.ts tells. */
import { type AccessConfig, UserError } from '../platform/index.ts';
import { type GuestNames, guestNames, isNamed } from './guests.ts';

/** Each may do what those before it may: look; make and use things of one's own; everything. */
export const ROLES = ['viewer', 'member', 'administrator'] as const;
export type Role = (typeof ROLES)[number];

export const EVERYBODY: AccessConfig = { administrators: [], members: undefined, viewers: [] };

interface Login {
  uid: number;
  user: string;
  groups: ReadonlySet<string>;
}

/** The highest role that the lists give a login; root is an administrator. Undefined: it may not use the platform. */
export function roleOf(
  { uid, user, groups }: Login,
  { administrators, members, viewers }: AccessConfig,
): Role | undefined {
  const isIn = (list: readonly string[]) => isNamed({ user, groups }, list);
  if (uid === 0 || isIn(administrators)) return 'administrator';
  if (members && isIn(members)) return 'member';
  if (isIn(viewers)) return 'viewer';
  return members ? undefined : 'member';
}

/** Logins and groups that the lists name. */
export function named({ administrators, members = [], viewers }: AccessConfig): GuestNames {
  return guestNames([...new Set([administrators, members, viewers].flat())]);
}

/** Whether a role depends on groups. */
export function asksGroups({ administrators, members = [], viewers }: AccessConfig): boolean {
  return [administrators, members, viewers].flat().some((word) => word.startsWith('@'));
}

/** Whether a role is enough where `least` is asked. */
export function reaches(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** Throws UserError FORBIDDEN unless a login's role is enough. */
export function demandRole({ user, role }: { user: string; role: Role }, least: Role): void {
  if (reaches(role, least)) return;
  throw new UserError(
    'FORBIDDEN',
    `Login ${user} is a ${role} of this platform: this is for ${least}s.`,
    'Ask the administrator for it: `access` in server.conf.',
  );
}
