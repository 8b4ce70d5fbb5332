import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { type Database, openDatabase, run, UserError } from '../platform/index.ts';
import { Identity, type IdentityOptions, MAX_TOKENS } from './identity.ts';
import { type AccessTables, accessTables } from './tables.ts';

/** `nobody`, whom every Debian has. */
const NOBODY = 65534;

let folder: string;
let auth: string;
let database: Database<AccessTables>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-identity-'));
  await chmod(folder, 0o755);
});
after(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  auth = await mkdtemp(join(folder, 'auth-'));
  database = await openDatabase(':memory:', accessTables);
});

afterEach(() => database.destroy());

/** A challenge, with the absolute path of its file. */
async function challengeOf(identity: Identity): Promise<{ file: string; nonce: string }> {
  const { file, nonce } = await identity.challenge();
  return { file: join(auth, file), nonce };
}

const open = (options: Partial<IdentityOptions> = {}) =>
  Identity.open({ paths: { auth }, database, ...options });

/** Runs a shell script as another user, with `$1`, `$2`…; answers its exit status. */
async function as(uid: number, script: string, ...args: string[]): Promise<number> {
  const child = spawn('sh', ['-c', script, 'sh', ...args], { uid, gid: uid, cwd: '/', stdio: 'ignore' });
  const [status] = await once(child, 'exit');
  return status;
}

const answer = (uid: number, { file, nonce }: { file: string; nonce: string }) =>
  as(uid, 'umask 077; printf %s "$2" > "$1"', file, nonce);

function refused(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

describe('a caller is who owns the file', () => {
  test('root', async () => {
    const identity = await open();
    const challenge = await challengeOf(identity);
    await answer(0, challenge);
    const begun = Date.now() / 1000;
    const { token, user, expires } = await identity.prove(challenge.nonce);
    assert.equal(user, 'root');
    const since = expires - 12 * 3600;
    assert.ok(since > begun - 2 && since < Date.now() / 1000 + 2, String(since));
    assert.deepEqual(await identity.caller(token), { uid: 0, user: 'root', role: 'administrator' as const });
    assert.deepEqual(await readdir(auth), [], 'the file is removed');
  });

  test('another user, who is no admin', async () => {
    const identity = await open();
    const challenge = await challengeOf(identity);
    assert.equal(await answer(NOBODY, challenge), 0);
    const { token } = await identity.prove(challenge.nonce);
    assert.deepEqual(await identity.caller(token), { uid: NOBODY, user: 'nobody', role: 'member' as const });
  });

  test('with the role that the lists give him, as long as they do', async () => {
    const roles = { administrators: [], members: ['@lab'], viewers: ['@guests of the lab'] };
    let now = Date.now();
    let groups = new Set(['lab', 'nogroup']);
    const identity = await open({ roles, groupsOf: async () => groups, now: () => now });
    const challenge = await challengeOf(identity);
    await answer(NOBODY, challenge);
    const { token } = await identity.prove(challenge.nonce);
    const member = await identity.caller(token);
    assert.equal(member.role, 'member');
    groups = new Set(['guests of the lab']);
    now += 10_001;
    await assert.rejects(
      identity.requireUser(member),
      refused('FORBIDDEN', /nobody is a viewer .* for members/),
    );
    const viewer = await identity.caller(token);
    assert.equal(viewer.role, 'viewer');
    groups = new Set();
    now += 10_001;
    for (const late of [() => identity.requireUser(viewer), () => identity.caller(token)]) {
      await assert.rejects(late, refused('FORBIDDEN', /nobody may not use this platform/));
    }
    groups = new Set(['lab']);
    now += 10_001;
    await identity.requireUser(viewer);
  });

  test('with his groups, as the machine knows them', async () => {
    const [group = ''] = (await run(['id', '-gn', 'nobody'])).trim().split('\n');
    const identity = await open({ roles: { administrators: [`@${group}`], members: [], viewers: [] } });
    const challenge = await challengeOf(identity);
    await answer(NOBODY, challenge);
    const { token } = await identity.prove(challenge.nonce);
    assert.equal((await identity.caller(token)).role, 'administrator');
  });

  test('a user id without a name is nobody at all', async () => {
    const identity = await open();
    const challenge = await challengeOf(identity);
    await answer(4_123_456, challenge);
    await assert.rejects(
      identity.prove(challenge.nonce),
      refused('UNAUTHENTICATED', /4123456 has no login name/),
    );
  });

  for (const name of ['waltplatform', 'some one', '-x', '..']) {
    test(`a user called ${name} is refused`, async () => {
      const identity = await open({ loginName: async () => name });
      const challenge = await challengeOf(identity);
      await answer(NOBODY, challenge);
      await assert.rejects(identity.prove(challenge.nonce), refused('FORBIDDEN', /cannot own images/));
    });
  }
});

describe('what is no proof', () => {
  const attacks: Record<
    string,
    { by: (challenge: { file: string; nonce: string }) => Promise<unknown>; refused: RegExp }
  > = {
    'no file': { by: async () => {}, refused: /does not exist/ },
    'a symbolic link to a right file': {
      by: async ({ file, nonce }) => {
        await writeFile(join(folder, 'victim'), nonce, { mode: 0o600 });
        await symlink(join(folder, 'victim'), file);
      },
      refused: /regular file/,
    },
    'a hard link to a right file': {
      by: async ({ file, nonce }) => {
        const victim = join(auth, 'victim');
        await writeFile(victim, nonce, { mode: 0o600 });
        await link(victim, file);
      },
      refused: /one link/,
    },
    'a file of somebody else, renamed': {
      by: async ({ file }) => {
        const victim = join(auth, 'victim');
        await writeFile(victim, 'what he wrote', { mode: 0o600 });
        await rename(victim, file);
      },
      refused: /not the nonce/,
    },
    'a pipe that nobody writes to': {
      by: ({ file }) => run(['mkfifo', '-m', '600', file]),
      refused: /regular file/,
    },
    'a folder': { by: ({ file }) => mkdir(file), refused: /regular file/ },
    'a device': {
      by: ({ file }) => run(['mknod', '-m', '600', file, 'c', '1', '5']),
      refused: /regular file/,
    },
    'a file that others can write': {
      by: async ({ file, nonce }) => {
        await writeFile(file, nonce);
        await chmod(file, 0o622);
      },
      refused: /mode must be 600/,
    },
    'a longer content': {
      by: ({ file, nonce }) => writeFile(file, `${nonce}${nonce}`, { mode: 0o600 }),
      refused: /not the nonce/,
    },
    'a shorter content': {
      by: ({ file, nonce }) => writeFile(file, nonce.slice(0, -1), { mode: 0o600 }),
      refused: /not the nonce/,
    },
  };
  for (const [name, attack] of Object.entries(attacks)) {
    test(name, async () => {
      const identity = await open();
      const challenge = await challengeOf(identity);
      await attack.by(challenge);
      await assert.rejects(identity.prove(challenge.nonce), refused('UNAUTHENTICATED', attack.refused));
      // Emptying a caller's folder would be a race against him: it waits for the next start.
      if (name === 'a folder') return;
      assert.ok(!(await readdir(auth)).includes(basename(challenge.file)), 'what lay there is removed');
    });
  }

  test('a file that is older than its challenge', async () => {
    const identity = await open({ now: () => Date.now() + 1000 });
    const challenge = await challengeOf(identity);
    await answer(NOBODY, challenge);
    await assert.rejects(
      identity.prove(challenge.nonce),
      refused('UNAUTHENTICATED', /older than the challenge/),
    );
  });

  test('a second use, a made-up nonce, one that is too old', async () => {
    let now = Date.now();
    const identity = await open({ now: () => now });
    const challenge = await challengeOf(identity);
    await answer(NOBODY, challenge);
    await identity.prove(challenge.nonce);
    await answer(NOBODY, challenge);
    await assert.rejects(
      identity.prove(challenge.nonce),
      refused('UNAUTHENTICATED', /unknown, used or too old/),
    );
    await assert.rejects(identity.prove('0'.repeat(64)), refused('UNAUTHENTICATED', /unknown/));

    const late = await challengeOf(identity);
    await answer(NOBODY, late);
    now += 30_000;
    await assert.rejects(identity.prove(late.nonce), refused('UNAUTHENTICATED', /too old/));
  });
});

describe('the folder', () => {
  test('lets anybody create, nobody list, and nobody touch what is another’s', async () => {
    await open();
    assert.equal((await stat(auth)).mode & 0o7777, 0o1733);
    await writeFile(join(auth, 'foreign'), '', { mode: 0o600 });
    assert.equal(await as(NOBODY, ': > "$1/own"', auth), 0);
    assert.notEqual(await as(NOBODY, 'ls "$1"', auth), 0, 'list');
    assert.notEqual(await as(NOBODY, 'rm -f "$1/foreign"', auth), 0, 'remove');
    assert.notEqual(await as(NOBODY, 'mv "$1/foreign" "$1/mine"', auth), 0, 'rename');
  });

  test('is emptied at start, and of challenges that nobody met', async () => {
    await mkdir(join(auth, 'left'));
    await writeFile(join(auth, 'left', 'file'), '');
    let now = Date.now();
    const identity = await open({ now: () => now });
    assert.deepEqual(await readdir(auth), []);
    await answer(NOBODY, await challengeOf(identity));
    now += 30_000;
    await challengeOf(identity);
    assert.deepEqual(await readdir(auth), []);
  });

  test('many challenges push out the oldest, not the newest', async () => {
    const identity = await open();
    const first = await challengeOf(identity);
    for (let count = 0; count < 511; count++) await challengeOf(identity);
    const last = await challengeOf(identity);
    await answer(NOBODY, first);
    await answer(NOBODY, last);
    await assert.rejects(identity.prove(first.nonce), refused('UNAUTHENTICATED', /unknown/));
    assert.equal((await identity.prove(last.nonce)).user, 'nobody');
  });
});

describe('tokens', () => {
  const signIn = async (identity: Identity, uid = NOBODY) => {
    const challenge = await challengeOf(identity);
    await answer(uid, challenge);
    return await identity.prove(challenge.nonce);
  };

  test('outlive the server, and are stored as hashes only', async () => {
    const { token } = await signIn(await open());
    const stored = await database.selectFrom('token').selectAll().execute();
    assert.equal(stored.length, 1);
    assert.ok(!JSON.stringify(stored).includes(token));
    assert.equal((await (await open()).caller(token)).user, 'nobody');
  });

  test('end after twelve hours, and are cleared away by the next', async () => {
    let now = Date.now();
    const identity = await open({ now: () => now });
    const { token } = await signIn(identity);
    now += 12 * 3600 * 1000 + 1000;
    await assert.rejects(identity.caller(token), refused('UNAUTHENTICATED', /run out/));
    // The proof's own birth check needs the real clock.
    now = Date.now();
    await database.updateTable('token').set({ expires: 1 }).execute();
    await signIn(identity);
    const rows = await database.selectFrom('token').select('expires').execute();
    assert.equal(rows.length, 1);
  });

  test('of one user are bounded: the oldest ends, and others keep theirs', async () => {
    const identity = await open();
    const first = await signIn(identity);
    const other = await signIn(identity, 0);
    const { expires } = first;
    const more = Array.from({ length: MAX_TOKENS - 1 }, (_, at) => `token ${at}`);
    await database
      .insertInto('token')
      .values(more.map((hash) => ({ hash, uid: NOBODY, user: 'nobody', expires })))
      .execute();
    await identity.caller(first.token);
    const last = await signIn(identity);
    await assert.rejects(identity.caller(first.token), refused('UNAUTHENTICATED', /run out/));
    for (const { token } of [last, other]) await identity.caller(token);
    const { length } = await database.selectFrom('token').select('hash').execute();
    assert.equal(length, MAX_TOKENS + 1);
  });

  test('of no one', async () => {
    const identity = await open();
    await assert.rejects(identity.caller(undefined), refused('UNAUTHENTICATED', /not signed in/));
    await assert.rejects(identity.caller('x'), refused('UNAUTHENTICATED', /run out/));
  });

  test('ask the machine who their user is once, however many calls come; what it could not tell, again', async () => {
    let now = Date.now();
    let asked = 0;
    const answers = Promise.withResolvers<void>();
    const identity = await open({
      now: () => now,
      loginName: async () => {
        asked += 1;
        if (asked === 2) throw new Error('the directory is away');
        if (asked > 2) await answers.promise;
        return 'alice';
      },
    });
    const { token } = await signIn(identity);
    now += 10_000;
    await assert.rejects(identity.caller(token), /the directory is away/);
    const calls = Array.from({ length: 100 }, () => identity.caller(token));
    // Its row is read behind theirs.
    await assert.rejects(identity.caller('x'), refused('UNAUTHENTICATED', /run out/));
    answers.resolve();
    await Promise.all(calls);
    assert.equal(asked, 3);
  });

  test('a deleted user loses access, and who gets his user id does not inherit it', async () => {
    let now = Date.now();
    let name: string | undefined = 'alice';
    const identity = await open({ now: () => now, loginName: async () => name });
    const { token } = await signIn(identity);
    assert.equal((await identity.caller(token)).user, 'alice');
    now += 10_000;
    name = undefined;
    await assert.rejects(identity.caller(token), refused('UNAUTHENTICATED', /no login name/));
    now += 10_000;
    name = 'bob';
    await assert.rejects(identity.caller(token), refused('UNAUTHENTICATED', /run out/));
  });
});

test('what is cleared away is no file of who is asked meanwhile', async () => {
  let now = Date.now();
  const identity = await open({ now: () => now });
  for (let round = 0; round < 100; round += 1) {
    // Each is a look at what lies there.
    now += 3000;
    const looking = identity.challenge();
    const { file, nonce } = await challengeOf(identity);
    writeFileSync(file, nonce, { mode: 0o600 });
    await looking;
    assert.ok(existsSync(file), `in round ${round}`);
  }
});
