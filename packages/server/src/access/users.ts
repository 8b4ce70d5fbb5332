import { attempt, ExternalError, run } from '../platform/index.ts';

/** Exit status of getent for "no such entry" (getent(1)). */
const NO_SUCH_ENTRY = 2;

/** Login name of a user id, from whatever source the system uses (files, LDAP…); undefined when it knows no such user. */
export async function loginName(uid: number): Promise<string | undefined> {
  const argv = ['getent', 'passwd', '--', String(uid)];
  const result = await attempt(argv);
  if (result.status === NO_SUCH_ENTRY) return undefined;
  if (result.status !== 0) throw new ExternalError(argv, result.status, result.stderr);
  return result.stdout.split(':')[0];
}

/** Groups of a user, from whatever source the system uses. */
export async function groupsOf(user: string): Promise<ReadonlySet<string>> {
  // Names may have blanks.
  const names = await run(['id', '--groups', '--name', '--zero', '--', user]);
  return new Set(names.split('\0').filter((name) => name !== ''));
}

/** Groups of a user; undefined when nobody is called so, or no longer. */
export async function groupsIfKnown(user: string): Promise<ReadonlySet<string> | undefined> {
  const { status, stdout } = await attempt(['id', '--groups', '--name', '--zero', '--', user]);
  return status === 0 ? new Set(stdout.split('\0').filter((name) => name !== '')) : undefined;
}

/** Which of these the system knows: logins by the database `passwd`, groups by `group` (getent(1)). */
export async function knownNames(
  database: 'passwd' | 'group',
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const { stdout } = await attempt(['getent', database, '--', ...names]);
  return new Set(stdout.split('\n').map((line) => line.split(':')[0] ?? ''));
}
