import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PLATFORM_OWNER, userName } from '@walt/contract';
import { sql } from 'kysely';
import {
  type AccessConfig,
  attempt,
  type Database,
  hasErrno,
  type Paths,
  run,
  UserError,
} from '../platform/index.ts';
import type { Caller } from './caller.ts';
import { asksGroups, demandRole, EVERYBODY, type Role, roleOf } from './roles.ts';
import type { AccessTables } from './tables.ts';
import { groupsOf, loginName } from './users.ts';

/** Milliseconds within which a challenge must be met. */
const CHALLENGE_LIFE = 30_000;
/** Unmet challenges kept; the oldest one goes first, so nobody can lock others out by asking for many. */
const MAX_CHALLENGES = 512;
/** Seconds. */
const TOKEN_LIFE = 12 * 3600;
/** Of one user, that hold at a time: the oldest ends first, so that nobody fills the database by signing in. */
export const MAX_TOKENS = 1000;
/** Milliseconds for which a user's existence is believed. */
const USER_LIFE = 10_000;
/** Milliseconds by which a file system's clock may lag behind ours: one kernel tick (10 ms at HZ=100), and margin. */
const CLOCK_LAG = 50;
/** Milliseconds between two looks at what lies in the folder and is no proof. */
const SWEEP = 2000;

interface Challenge {
  file: string;
  /** Unix time in milliseconds. */
  asked: number;
}

/** As the machine and server.conf know him. */
interface Login {
  /** Undefined: the machine knows no such user. */
  name: string | undefined;
  /** Undefined: he may not use the platform. */
  role: Role | undefined;
}

export interface IdentityOptions {
  paths: Pick<Paths, 'auth'>;
  database: Database<AccessTables>;
  /** Unix time in milliseconds. */
  now?: () => number;
  /** Login name of a user id; undefined when the system knows no such user. */
  loginName?: (uid: number) => Promise<string | undefined>;
  /** Groups of a login. */
  groupsOf?: (user: string) => Promise<ReadonlySet<string>>;
  /** Default: everybody is a member. */
  roles?: AccessConfig;
}

/**
 * Proves who calls, by the operating system alone. The server names a file in a folder where everybody may create files
 * and nobody may list them; the caller creates it, and the file's owner is the caller. The proof buys a token.
 *
 * What each check is for: the nonce is known to the asker and is the file's content, so a file that its owner made for
 * another purpose is no proof, and who merely sees the file's name cannot use it; one link and a fresh birth refuse a
 * file brought in by link or rename; mode 600 refuses one that others could have written.
 */
export class Identity {
  readonly #folder: string;
  readonly #database: Database<AccessTables>;
  readonly #now: () => number;
  readonly #loginName: (uid: number) => Promise<string | undefined>;
  readonly #groupsOf: (user: string) => Promise<ReadonlySet<string>>;
  readonly #roles: AccessConfig;
  /** By nonce, oldest first. */
  readonly #challenges = new Map<string, Challenge>();
  /** Unix time in milliseconds. */
  #swept = 0;
  readonly #users = new Map<number, { login: Promise<Login>; until: number }>();

  private constructor(options: IdentityOptions) {
    this.#folder = options.paths.auth;
    this.#database = options.database;
    this.#now = options.now ?? Date.now;
    this.#loginName = options.loginName ?? loginName;
    this.#groupsOf = options.groupsOf ?? groupsOf;
    this.#roles = options.roles ?? EVERYBODY;
  }

  /** Makes the folder, and empties it: challenges do not outlive the server. */
  static async open(options: IdentityOptions): Promise<Identity> {
    const folder = options.paths.auth;
    await mkdir(folder, { recursive: true });
    // find(1) walks by file descriptors: a link that its owner swaps in meanwhile does not lead it out of the folder.
    await run(['find', folder, '-mindepth', '1', '-delete']);
    // Sticky: nobody renames or removes another's file. Not readable: file names stay between server and caller.
    await chmod(folder, 0o1733);
    return new Identity(options);
  }

  /** Names a file of the folder `auth` that the caller shall create, mode 600, with `nonce` as its content. */
  async challenge(): Promise<{ file: string; nonce: string }> {
    const now = this.#now();
    await this.#sweep(now);
    for (const [nonce, { file, asked }] of this.#challenges) {
      if (asked + CHALLENGE_LIFE > now && this.#challenges.size < MAX_CHALLENGES) break;
      this.#challenges.delete(nonce);
      await discard(file);
    }
    const nonce = randomBytes(32).toString('hex');
    const file = randomBytes(16).toString('hex');
    this.#challenges.set(nonce, { file: join(this.#folder, file), asked: now });
    return { file, nonce };
  }

  /** Takes away what nobody was asked for: everybody may write in the folder, and what fills it keeps others from signing in. */
  async #sweep(now: number): Promise<void> {
    if (now < this.#swept + SWEEP) return;
    this.#swept = now;
    const there = (await readdir(this.#folder)).map((name) => join(this.#folder, name));
    // Not before that: who was asked meanwhile may have made his file already.
    const asked = new Set([...this.#challenges.values()].map(({ file }) => file));
    const left = there.filter((file) => !asked.has(file));
    // As above, by file descriptors. What changes meanwhile is for the next time.
    if (left.length > 0) await attempt(['rm', '-rf', '--', ...left]);
  }

  /** Takes the created file as proof and removes it; each challenge counts once. Throws UNAUTHENTICATED or FORBIDDEN. */
  async prove(nonce: string): Promise<{ token: string; user: string; expires: number }> {
    const challenge = this.#challenges.get(nonce);
    this.#challenges.delete(nonce);
    if (challenge === undefined) throw unproven('this challenge is unknown, used or too old');
    let uid: number;
    try {
      if (challenge.asked + CHALLENGE_LIFE <= this.#now()) throw unproven('the challenge is too old');
      uid = await provenOwner(challenge, nonce);
    } finally {
      await discard(challenge.file);
    }
    const { user } = await this.#user(uid);
    const token = randomBytes(32).toString('base64url');
    const now = Math.floor(this.#now() / 1000);
    const expires = now + TOKEN_LIFE;
    await this.#database.deleteFrom('token').where('expires', '<=', now).execute();
    await this.#database
      .insertInto('token')
      .values({ hash: hashed(token), uid, user, expires })
      .execute();
    await this.#database
      .deleteFrom('token')
      .where('hash', 'in', (query) =>
        query
          .selectFrom('token')
          .select('hash')
          .where('uid', '=', uid)
          // Those of one second in the order in which they were made (rowid).
          .orderBy('expires', 'desc')
          .orderBy(sql`rowid`, 'desc')
          .limit(-1)
          .offset(MAX_TOKENS),
      )
      .execute();
    return { token, user, expires };
  }

  /** Whose token it is. Throws UNAUTHENTICATED when it is unknown or too old, or when its user has been deleted. */
  async caller(token: string | undefined): Promise<Caller> {
    if (token === undefined) throw signIn('You are not signed in.');
    const row = await this.#database
      .selectFrom('token')
      .select(['uid', 'user'])
      .where('hash', '=', hashed(token))
      .where('expires', '>', Math.floor(this.#now() / 1000))
      .executeTakeFirst();
    if (row === undefined) throw signIn('Your sign-in has run out.');
    const caller = await this.#user(row.uid);
    // The user id may have been given to somebody else since: the token is not his.
    if (caller.user !== row.user) throw signIn('Your sign-in has run out.');
    return caller;
  }

  /** Throws UNAUTHENTICATED when this user is none of the machine any more, as `caller` would, and FORBIDDEN when his role is less. */
  async requireUser({ uid, user, role }: Caller): Promise<void> {
    const now = await this.#user(uid);
    if (now.user !== user) throw signIn('Your sign-in has run out.');
    demandRole(now, role);
  }

  async #user(uid: number): Promise<Caller> {
    const now = this.#now();
    let known = this.#users.get(uid);
    if (known === undefined || known.until <= now) {
      // Before it is answered: a program is run for it, one for however many calls.
      known = { login: this.#login(uid), until: now + USER_LIFE };
      this.#users.set(uid, known);
      // What could not be asked is asked again.
      known.login.catch(() => this.#users.delete(uid));
    }
    const { name: user, role } = await known.login;
    if (user === undefined) {
      throw new UserError(
        'UNAUTHENTICATED',
        `User id ${uid} has no login name on the server.`,
        'Call walt as a user whom the server knows (`getent passwd`).',
      );
    }
    if (user === PLATFORM_OWNER || !userName.safeParse(user).success) {
      throw new UserError(
        'FORBIDDEN',
        `User ${JSON.stringify(user)} cannot own images: ${user === PLATFORM_OWNER ? 'the name is reserved' : 'a user name must be letters, digits, dots, dashes and underscores, and start with a letter'}.`,
        'Call walt as another user.',
      );
    }
    if (role !== undefined) return { uid, user, role };
    throw new UserError(
      'FORBIDDEN',
      `Login ${user} may not use this platform.`,
      'Ask the administrator for it: `access` in server.conf.',
    );
  }

  async #login(uid: number): Promise<Login> {
    const name = await this.#loginName(uid);
    if (name === undefined) return { name, role: undefined };
    const groups = asksGroups(this.#roles) ? await this.#groupsOf(name) : new Set<string>();
    return { name, role: roleOf({ uid, user: name, groups }, this.#roles) };
  }
}

/** User id of who created the challenge's file for it. Throws UNAUTHENTICATED. */
async function provenOwner({ file, asked }: Challenge, nonce: string): Promise<number> {
  try {
    const seen = await lstat(file);
    if (!seen.isFile()) throw unproven('it must be a regular file');
    // The file may have been swapped since lstat: never follow a link, never wait for a pipe's other end.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (!info.isFile() || info.ino !== seen.ino || info.dev !== seen.dev) throw unproven('it was swapped');
      if (info.nlink !== 1) throw unproven('it must have one link only');
      if ((info.mode & 0o077) !== 0) throw unproven('its mode must be 600');
      // 0: the file system keeps no birth times (tmpfs before Linux 6.0).
      if (info.birthtimeMs !== 0 && info.birthtimeMs < asked - CLOCK_LAG) {
        throw unproven('it is older than the challenge');
      }
      const buffer = Buffer.alloc(nonce.length + 1);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      if (buffer.toString('latin1', 0, bytesRead) !== nonce) throw unproven('its content is not the nonce');
      return info.uid;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw unproven('it does not exist');
    if (hasErrno(error, 'ELOOP', 'ENXIO')) throw unproven('it must be a regular file');
    throw error;
  }
}

/** Removes the name and what it stands for. A folder stays until the next start: emptying what is another's would be a race. */
async function discard(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'EISDIR', 'EPERM')) throw error;
  }
}

function unproven(reason: string): UserError {
  return new UserError(
    'UNAUTHENTICATED',
    `The file that proves who you are was refused: ${reason}.`,
    'Run the command again; walt makes that file by itself.',
  );
}

function signIn(message: string): UserError {
  return new UserError('UNAUTHENTICATED', message, 'Run the command again; walt signs in by itself.');
}

/** The token is random, 256 bit: a plain hash is as hard to turn back as a slow one. */
function hashed(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
