import type { Role } from './roles.ts';

/** Who calls, as the operating system proved it. */
export interface Caller {
  uid: number;
  /** Login name on the server. */
  user: string;
  role: Role;
}

/** He may do everything. */
export function isAdministrator({ role }: Pick<Caller, 'role'>): boolean {
  return role === 'administrator';
}
