/** The supervisor with small programs in the server's place. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Crash, identifyProcess, readCrashes } from './src/platform/index.ts';

const SCRIPT = join(import.meta.dirname, 'supervise.sh');

interface Supervised {
  supervisor: ChildProcess;
  exited: Promise<unknown[]>;
  /** Process numbers of the servers, in the order of their starts. */
  servers(): Promise<number[]>;
  /** When they started, in Unix seconds. */
  starts(): Promise<number[]>;
  /** Resolves when that many have started; answers the last one's number. */
  started(count: number): Promise<number>;
  /** Resolves when the server says that it serves. */
  serves(): Promise<unknown>;
  crashes(): Promise<Crash[]>;
  journal(): Promise<string>;
}

/** A server that says that it serves and waits, after `script`. */
async function supervise(t: TestContext, script: string): Promise<Supervised> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-supervise-'));
  const [serving, crashes, journal] = ['serving', 'crashes', 'journal'].map((name) => join(folder, name));
  if (!serving || !crashes || !journal) throw new TypeError();
  const server = `date +%s.%N >>${folder}/starts; echo $$ >>${folder}/servers; ${script}`;
  await writeFile(join(folder, 'servers'), '');
  const supervisor = spawn('sh', [SCRIPT, serving, crashes, journal, 'sh', '-c', server], {
    env: { ...process.env, SERVING: serving, FOLDER: folder },
    stdio: 'ignore',
    detached: true,
  });
  const exited = once(supervisor, 'exit');
  const numbers = async (name: string) =>
    (await readFile(join(folder, name), 'utf8')).split('\n').filter(Boolean).map(Number);
  const servers = () => numbers('servers');
  t.after(async () => {
    // By its own means: one that is killed may leave a server that has just begun, and still writes into the folder.
    supervisor.kill('SIGTERM');
    await exited;
    for (const pid of await servers()) {
      kill(-pid);
      await until(() => isGone(pid));
    }
    await rm(folder, { recursive: true });
  });
  return {
    supervisor,
    exited,
    servers,
    starts: () => numbers('starts'),
    serves: () => until(async () => existsSync(serving)),
    started: (count) => until(async () => (await servers())[count - 1]),
    crashes: () => readCrashes({ crashes }),
    journal: () => readFile(journal, 'utf8'),
  };
}

async function until<T>(get: () => Promise<T | undefined | false>, limit = 300_000): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const value = await get();
    if (value) return value;
    assert.ok(Date.now() < end, `not within ${limit} ms: ${get}`);
    await delay(10);
  }
}

function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

const isGone = async (pid: number) => identifyProcess(pid) === undefined;

test('a server that is killed is back at once, each time, and the reason is told', async (t) => {
  const { started, crashes, journal } = await supervise(t, 'touch $SERVING; exec sleep 100');
  for (const [round, signal] of (['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const).entries()) {
    const before = await started(round + 1);
    await until(async () => (await readFile(`/proc/${before}/comm`, 'utf8')) === 'sleep\n');
    kill(before, signal);
    await started(round + 2);
  }
  // How long it waited, it told itself: not at all.
  assert.doesNotMatch(await journal(), /failures=[^123]/);
  const told = await until(async () => (await crashes()).length === 3 && (await crashes()));
  assert.deepEqual(
    told.map(({ status, reason }) => [status, reason]),
    [
      [137, 'killed by signal 9'],
      [139, 'killed by signal 11'],
      [134, 'killed by signal 6'],
    ],
  );
});

test('the server stands in no folder of whoever started it', async (t) => {
  const { started, supervisor } = await supervise(t, 'touch $SERVING; exec sleep 100');
  for (const pid of [await started(1), supervisor.pid]) assert.equal(await readlink(`/proc/${pid}/cwd`), '/');
});

test('a server that ends again and again waits longer each time, until it is told to start now', async (t) => {
  const { started, starts, crashes, supervisor, journal } = await supervise(t, 'touch $SERVING; exit 3');
  await started(6);
  const [, , , fourth = 0, fifth = 0, sixth = 0] = await starts();
  assert.ok(fifth - fourth >= 1, 'a second');
  assert.ok(sixth - fifth >= 2, 'and two');
  await until(async () => /failures=6/.test(await journal()));
  supervisor.kill('SIGCONT');
  // It counts anew, which it would not have done after a pause.
  await until(async () => /failures=6 .*\n.*starts\n.*failures=1 /.test(await journal()));
  assert.equal((await crashes()).at(-1)?.reason, 'exit status 3');
});

test('a first start that fails is not repeated, and its status is passed on', async (t) => {
  const { exited, servers, crashes } = await supervise(t, 'echo "walt-server: no disk"; exit 78');
  assert.deepEqual(await exited, [78, null]);
  assert.equal((await servers()).length, 1);
  assert.equal((await crashes())[0]?.reason, 'walt-server: no disk');
});

test('the heap of V8 is full: it ends, it is back, and that is told', async (t) => {
  const heap = `const a = []; for (;;) a.push(new Array(1000).fill(a.length))`;
  const { started, crashes, journal } = await supervise(
    t,
    `touch $SERVING; [ $(wc -l <$FOLDER/servers) -gt 1 ] || exec ${process.execPath} --max-old-space-size=30 -e '${heap}'; exec sleep 100`,
  );
  await started(2);
  const [crash] = await crashes();
  assert.match(crash?.reason ?? '', /^FATAL ERROR: .*heap/i);
  assert.equal(crash?.status, 134);
  assert.match(await journal(), /error supervisor the server ended status=134 .*reason="FATAL ERROR/);
});

test('the first words of a mistake are told, without its stack', async (t) => {
  const line = '2026-01-01T00:00:00.000Z error server a mistake ends the server error="Error: x\\n    at y"';
  const { started, crashes } = await supervise(
    t,
    `touch $SERVING; printf '%s\\n' '${line}' 'other words'; exit 70`,
  );
  await started(2);
  assert.match((await crashes())[0]?.reason ?? '', /^a mistake ends the server error="Error: x"?$/);
});

test('what the server ran is gone before long, also what hides from the kernel', async (t) => {
  const { started, servers } = await supervise(
    t,
    'touch $SERVING; sh -c "trap : TERM; while :; do sleep 0.1; done" & echo $! >>$FOLDER/servers; wait; exec sleep 100',
  );
  await started(2);
  const [server = 0, left = 0] = await servers();
  kill(server);
  await until(() => isGone(left));
});

test('told to end: the server ends, then the supervisor, with the status that tells what is wanted', async (t) => {
  for (const [signal, status] of [
    ['SIGTERM', 0],
    ['SIGHUP', 75],
  ] as const) {
    const { supervisor, exited, started, serves, crashes } = await supervise(
      t,
      'trap "sleep 0.3; exit 0" TERM; touch $SERVING; while :; do sleep 0.05; done',
    );
    const server = await started(1);
    await serves(); // its trap is set
    supervisor.kill(signal);
    assert.deepEqual(await exited, [status, null]);
    assert.ok(await isGone(server), 'the server ended first');
    assert.deepEqual(await crashes(), [], 'that is no crash');
  }
});

test('told to end while it waits, or at once: it ends', async (t) => {
  const waiting = await supervise(t, 'touch $SERVING; exit 3');
  await waiting.started(6);
  await until(async () => /failures=6/.test(await waiting.journal()));
  waiting.supervisor.kill('SIGTERM');
  assert.deepEqual(await waiting.exited, [0, null]);

  for (let round = 0; round < 20; round += 1) {
    const { supervisor, exited, servers } = await supervise(t, 'touch $SERVING; exec sleep 100');
    await until(async () =>
      (await readFile(`/proc/${supervisor.pid}/status`, 'utf8')).match(/^SigCgt:\s*0*34003$/m),
    );
    await delay(round);
    supervisor.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    for (const pid of await servers()) assert.ok(await isGone(pid));
  }
});

test('what the server writes is in the journal of systemd too, with priorities, also after the log was put aside', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-supervise-'));
  const [serving, crashes, journal, seen] = ['serving', 'crashes', 'journal', 'seen'].map((name) =>
    join(folder, name),
  );
  if (!serving || !crashes || !journal || !seen) throw new TypeError();
  await writeFile(journal, 'of the server before\n');
  const server = `touch ${serving}
    echo 'T error nodes bad'
    until grep -q bad ${seen}; do sleep 0.05; done
    : >${journal}
    echo 'T warn nodes odd'; echo 'T info nodes good'
    exec sleep 100`;
  const file = await open(seen, 'w');
  const { dev, ino } = await file.stat();
  const supervisor = spawn('sh', [SCRIPT, serving, crashes, journal, 'sh', '-c', server], {
    env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` },
    stdio: ['ignore', file.fd, file.fd],
  });
  await file.close();
  const exited = once(supervisor, 'exit');
  t.after(async () => {
    supervisor.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true });
  });
  const text = await until(async () => {
    const all = await readFile(seen, 'utf8');
    return all.includes('good') && all;
  });
  assert.match(
    text,
    /^[^\n]*supervisor the server starts\n<3>T error nodes bad\n<4>T warn nodes odd\nT info nodes good\n$/,
  );
});

test('a supervisor that is killed leaves the server alone', async (t) => {
  const { supervisor, exited, started } = await supervise(t, 'touch $SERVING; exec sleep 100');
  const server = await started(1);
  supervisor.kill('SIGKILL');
  await exited;
  assert.ok(!(await isGone(server)));
});
