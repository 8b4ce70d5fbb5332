/** Who calls, and what makes users and nodes trust each other: identity, SSH authorities. */
export type { Caller } from './caller.ts';
export { Identity, type IdentityOptions } from './identity.ts';
export { mountSignInFolder, unmountSignInFolder } from './sign-in-folder.ts';
export { type NodeIdentity, SshAuthority } from './ssh-authority.ts';
export { LostRight, StandingRights } from './standing-rights.ts';
