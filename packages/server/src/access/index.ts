/** Who calls, who may do what, and what makes users and nodes trust each other: identity, policy, SSH authorities. */
export { callRoles, leastRole, plainRoles, streamRoles } from './call-roles.ts';
export { type Caller, isAdministrator } from './caller.ts';
export type { CallsOf } from './calls-of.ts';
export {
  type GuestNames,
  type GuestOptions,
  Guests,
  type GuestWord,
  guestNames,
  guestWords,
  warnOfStrangers,
} from './guests.ts';
export { Identity } from './identity.ts';
export { Origins } from './origin.ts';
export { demand, demandAll, isAllowed, type OwnedNode, refusal } from './policy.ts';
export { demandRole, EVERYBODY, named, type Role, roleOf } from './roles.ts';
export { mountSignInFolder, unmountSignInFolder } from './sign-in-folder.ts';
export { SshAuthority } from './ssh-authority.ts';
export { LostRight, StandingRights } from './standing-rights.ts';
export { type AccessTables, accessTables } from './tables.ts';
export { groupsIfKnown } from './users.ts';
