/** The accounts of an image (passwd(5), group(5), shadow(5)): who runs its command, and what SSH logins need. */

export interface Accounts {
  /** Texts of the files; undefined where there is none. */
  passwd: string | undefined;
  group: string | undefined;
  shadow: string | undefined;
}

/** A process's user in numbers. */
export interface Credentials {
  uid: number;
  gid: number;
  groups: number[];
  home: string;
}

interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

/** The user that sshd runs its unprivileged part as, by a name that is built into it. */
const SSHD_USER = 'sshd';

/** Shells that let nobody in. */
const CLOSED = /\/(?:nologin|false|sync)$/;

/**
 * Who `user` of an image's configuration is: empty, or `NAME|UID[:GROUP|GID]` (image-spec, config.md). Undefined when
 * the image does not know the name.
 */
export function credentialsOf(user: string, accounts: Accounts): Credentials | undefined {
  const [wantedUser = '', wantedGroup = ''] = user.split(':');
  const users = parseUsers(accounts.passwd);
  const groups = parseGroups(accounts.group);
  const id = wantedUser === '' ? 0 : number(wantedUser);
  const known = users.find(({ name, uid }) => (id === undefined ? name === wantedUser : uid === id));
  const uid = known?.uid ?? id;
  if (uid === undefined) return undefined;
  const home = known?.home || (uid === 0 ? '/root' : '/');
  if (wantedGroup !== '') {
    const gid = number(wantedGroup) ?? groups.find(({ name }) => name === wantedGroup)?.gid;
    return gid === undefined ? undefined : { uid, gid, groups: [], home };
  }
  const member = groups.filter(({ members }) => known && members.includes(known.name));
  return { uid, gid: known?.gid ?? 0, groups: member.map(({ gid }) => gid), home };
}

/**
 * The text of /etc/passwd with a root who may log in, and sshd's own user; undefined when it is right as it is.
 * `hasShell` tells whether there is such a program in the image.
 */
export function mendPasswd(
  text: string | undefined,
  hasShell: (path: string) => boolean,
): string | undefined {
  const users = parseUsers(text);
  const root = users.find(({ name }) => name === 'root');
  const lines = (text ?? '').split('\n').filter((line) => line !== '');
  const mended: string[] = [];
  const isBroken = root !== undefined && (CLOSED.test(root.shell) || !hasShell(root.shell));
  if (!root) mended.push('root:x:0:0:root:/root:/bin/sh');
  for (const line of lines) {
    mended.push(
      isBroken && line.startsWith('root:') ? [...line.split(':').slice(0, 6), '/bin/sh'].join(':') : line,
    );
  }
  if (!users.some(({ name }) => name === SSHD_USER)) {
    mended.push(`${SSHD_USER}:x:${freeId(users)}:65534::/run/sshd:/usr/sbin/nologin`);
  }
  const result = `${mended.join('\n')}\n`;
  return result === text ? undefined : result;
}

/**
 * The text of /etc/shadow with a root account that has no password but is not locked: sshd lets nobody into a locked one,
 * whatever he proves. Undefined when it is right as it is.
 */
export function mendShadow(text: string | undefined): string | undefined {
  const mended = text?.replace(/^root:![^:\n]*/m, 'root:*');
  return mended === text ? undefined : mended;
}

/** Home folder and shell of root; undefined when the image has no such account. */
export function rootOf(passwd: string | undefined): { home: string; shell: string } | undefined {
  return parseUsers(passwd).find(({ name }) => name === 'root');
}

function parseUsers(text = ''): User[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
    const [user, group] = [number(uid), number(gid)];
    if (name === '' || user === undefined || group === undefined) return [];
    return [{ name, uid: user, gid: group, home, shell: shell || '/bin/sh' }];
  });
}

function parseGroups(text = ''): { name: string; gid: number; members: string[] }[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = '', members = ''] = line.split(':');
    const gid = number(id);
    return name === '' || gid === undefined ? [] : [{ name, gid, members: members.split(',') }];
  });
}

/** System accounts end below 1000 (login.defs(5)). */
function freeId(users: readonly User[]): number {
  const taken = new Set(users.map(({ uid }) => uid));
  let id = 999;
  while (taken.has(id)) id -= 1;
  return id;
}

function number(word: string): number | undefined {
  return /^\d{1,10}$/.test(word) ? Number(word) : undefined;
}
