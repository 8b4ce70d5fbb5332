import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, openDatabase } from '../platform/index.ts';
import { Identity } from './identity.ts';
import { mountSignInFolder, unmountSignInFolder } from './sign-in-folder.ts';
import { accessTables } from './tables.ts';

const FILES = 100;
/** `nobody`, whom every Debian has. */
const NOBODY = '65534';

let runtime: string;
let auth: string;

before(async () => {
  runtime = await mkdtemp(join(tmpdir(), 'walt-sign-in-'));
  await attempt(['chmod', '755', runtime]);
  auth = join(runtime, 'two words');
  await mountSignInFolder(auth, FILES);
});
after(async () => {
  await unmountSignInFolder(auth);
  await unmountSignInFolder(auth);
  await rm(runtime, { recursive: true });
});

const asNobody = (script: string, signal?: AbortSignal) =>
  attempt(
    ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', 'sh', '-c', script, 'sh', auth],
    { signal },
  );

test('what a user puts there is bounded in number and in bytes, and does not last', async () => {
  const database = await openDatabase(':memory:', accessTables);
  let now = Date.now() - 70_000;
  const identity = await Identity.open({ paths: { auth }, database, now: () => now });
  const { status } = await asNobody(
    'cd "$1" && mkdir -p a/b/c && for i in $(seq 500); do : >f$i || exit 3; done',
  );
  assert.notEqual(status, 0, 'not 500 files');
  assert.ok((await readdir(auth)).length <= FILES);
  now += 60_000;
  const { file, nonce } = await identity.challenge();
  assert.deepEqual(await readdir(auth), [], 'swept');
  // It is no help to hold a name that was asked for, and what was is not swept.
  await writeFile(join(auth, file), nonce, { mode: 0o600 });
  await asNobody('cd "$1" && head -c 100M /dev/zero >big');
  assert.ok((await statfs(auth)).blocks * 4096 <= FILES * 4096);
  now += 5000;
  await identity.challenge();
  assert.deepEqual(await readdir(auth), [file]);
  assert.equal((await identity.prove(nonce)).user, 'root');
  await database.destroy();
});

test('a new one is empty, whatever somebody holds open in the old one', async () => {
  await writeFile(join(auth, 'old'), 'x');
  const done = new AbortController();
  const held = assert.rejects(asNobody('cd "$1" && exec 3>held && exec sleep 1000', done.signal), {
    name: 'AbortError',
  });
  while (!(await readdir(auth)).includes('held')) await delay(10);
  await mountSignInFolder(auth, FILES);
  assert.deepEqual(await readdir(auth), []);
  done.abort();
  await held;
});
