/** Which role each call, stream and plain endpoint of the contract asks at least: none is forgotten, or it does not compile. */
import type { AnySchema, ContractProcedure, ErrorMap, Meta } from '@orpc/contract';
import type { contract, plain, streams } from '@walt/contract';
import type { Role } from './roles.ts';

type RolesOf<Contract> = {
  [Name in keyof Contract]: Contract[Name] extends ContractProcedure<AnySchema, AnySchema, ErrorMap, Meta>
    ? Role
    : RolesOf<Contract[Name]>;
};

/** All but those by which one proves who he is. */
export const callRoles: RolesOf<Omit<typeof contract, 'auth'>> = {
  server: { status: 'viewer', quotas: 'viewer', diskUsage: 'viewer' },
  node: {
    ...{ list: 'viewer', details: 'viewer', settings: 'viewer', log: 'viewer', wait: 'viewer' },
    ...{ create: 'member', remove: 'member', boot: 'member', reboot: 'member', acquire: 'member' },
    ...{ release: 'member', rename: 'member', config: 'member', ping: 'member' },
    ...{ allow: 'member', disallow: 'member' },
    changes: { parts: 'member', open: 'member', save: 'member' },
  },
  image: {
    ...{ list: 'viewer', get: 'viewer', details: 'viewer', log: 'viewer', diff: 'viewer', search: 'viewer' },
    allow: 'member',
    ...{ duplicate: 'member', rename: 'member', remove: 'member', squash: 'member', clone: 'member' },
    ...{ publish: 'member', undo: 'member', prune: 'member', makeDefault: 'member' },
    build: { open: 'member' },
    cross: { open: 'member' },
    run: { open: 'member' },
    shell: { list: 'viewer', open: 'member', changes: 'member', save: 'member', discard: 'member' },
  },
  registry: { list: 'viewer', login: 'member', logout: 'member' },
  device: { list: 'viewer', rename: 'member', config: 'member', forget: 'member', ping: 'member' },
  log: { addCheckpoint: 'viewer', removeCheckpoint: 'viewer', checkpoints: 'viewer' },
  access: { certify: 'member' },
};

/** Of the call of the contract with that path. */
export function leastRole(path: readonly string[]): Role {
  const found = path.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], callRoles);
  return found as Role;
}

export const streamRoles: Record<keyof typeof streams, Role> = {
  tcp: 'member',
  console: 'member',
  // Of who opened it.
  job: 'viewer',
};

/** By method. */
export const plainRoles: Record<keyof typeof plain, (method: string | undefined) => Role> = {
  imageFiles: (method) => (method === 'GET' ? 'viewer' : 'member'),
  logLines: () => 'viewer',
  logImport: () => 'administrator',
};
