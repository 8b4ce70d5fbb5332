import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isExternalError } from '../errors.ts';
import { run } from './exec.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from './process.ts';
import { Programs } from './programs.ts';

const silent = { info() {}, warn() {}, error() {} };
const sleeper = (name: string, seconds = '1000') => ({ name, argv: ['sleep', seconds] });

describe('Programs', () => {
  let folder: string;
  let paths: { logs: string; programs: string };
  let programs: Programs;
  const open = () => new Programs(paths, silent);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-programs-'));
    paths = { logs: join(folder, 'logs'), programs: join(folder, 'programs') };
    programs = open();
  });
  afterEach(async () => {
    for (const name of await programs.recorded()) await programs.stop(name);
    programs.close();
    await rm(folder, { recursive: true });
  });

  /** The process of a program: its number, and what tells it from a later one. */
  const identity = (name: string): ProcessIdentity => {
    const pid = programs.status().find((program) => program.name === name)?.pid;
    const found = pid ? identifyProcess(pid) : undefined;
    assert.ok(found, `${name} runs`);
    return found;
  };
  const until = async (what: string, condition: () => Promise<boolean> | boolean, limit = 60_000) => {
    const deadline = Date.now() + limit;
    while (!(await condition())) {
      assert.ok(Date.now() < deadline, `${what}, within ${limit} ms`);
      await delay(10);
    }
  };

  it('starts a program once, with its output in its log', async () => {
    const spec = {
      name: 'echo',
      argv: ['sh', '-c', 'echo "$0 $WORD"; exec sleep 1000', '-x y'],
      env: { WORD: 'w' },
    };
    await programs.ensure(spec);
    const first = identity('echo');
    await programs.ensure(spec);
    assert.deepEqual(identity('echo'), first);
    assert.deepEqual(programs.status(), [{ name: 'echo', pid: first.pid, state: 'running', restarts: 0 }]);
    assert.deepEqual(await programs.recorded(), ['echo']);
    let log = '';
    await until('it prints a line', async () => {
      log = await readFile(join(paths.logs, 'echo.log'), 'utf8');
      return log.endsWith('\n');
    });
    assert.equal(log, '-x y w\n');
  });

  it('stops a program, also one that ignores SIGTERM, and forgets it', async () => {
    let trapped = false;
    await programs.ensure({
      name: 'stubborn',
      argv: ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'],
      ready: async () => (trapped = (await readFile(join(paths.logs, 'stubborn.log'), 'utf8')) === 'ready\n'),
    });
    assert.ok(trapped);
    const process = identity('stubborn');
    await programs.stop('stubborn');
    assert.equal(isAlive(process), false);
    assert.equal(programs.running('stubborn'), false);
    assert.deepEqual(await programs.recorded(), []);
    assert.deepEqual(programs.status(), []);
  });

  it('starts a killed program again at once, each time', async () => {
    await programs.ensure(sleeper('victim'));
    for (let kills = 1; kills <= 5; kills++) {
      const before = identity('victim');
      process.kill(before.pid, 'SIGKILL');
      await until(
        'a new process',
        () => programs.running('victim') && programs.status()[0]?.pid !== before.pid,
      );
      assert.equal(programs.status()[0]?.restarts, kills);
    }
  });

  it('starts a program again that ended well, and does not count that as a failure', async () => {
    const spec = { name: 'rebooter', argv: ['sh', '-c', 'read -r line <"$0"', join(folder, 'pipe')] };
    await run(['mkfifo', join(folder, 'pipe')]);
    await programs.ensure(spec);
    const before = identity('rebooter');
    await writeFile(join(folder, 'pipe'), 'end\n');
    await until('a new process', () => (programs.status()[0]?.pid ?? before.pid) !== before.pid);
    assert.equal(programs.status()[0]?.restarts, 0);
  });

  it('knows when a program that was killed again and again is ready', async () => {
    const spec = { ...sleeper('victim'), ready: async () => true };
    await programs.ensure(spec);
    for (let kills = 1; kills <= 5; kills++) {
      process.kill(identity('victim').pid, 'SIGKILL');
      const state = () => programs.status()[0];
      await until('readiness', () => state()?.restarts === kills && state()?.state === 'running');
    }
  });

  it('adopts what an earlier server started, and goes on watching it', async () => {
    await programs.ensure(sleeper('orphan'));
    const before = identity('orphan');
    programs.close();
    programs = open();
    assert.deepEqual(await programs.recorded(), ['orphan']);
    await programs.ensure(sleeper('orphan'));
    assert.deepEqual(identity('orphan'), before);
    process.kill(before.pid, 'SIGKILL');
    await until('a restart', () => programs.status()[0]?.restarts === 1 && programs.running('orphan'));
  });

  it('replaces an adopted program with other arguments, unless told to take any', async () => {
    await programs.ensure(sleeper('same', '1000'));
    await programs.ensure(sleeper('any', '1000'));
    const [same, any] = [identity('same'), identity('any')];
    programs.close();
    programs = open();
    await programs.ensure(sleeper('same', '2000'));
    await programs.ensure({ ...sleeper('any', '2000'), adopt: 'any' });
    assert.equal(isAlive(same), false);
    assert.notEqual(identity('same').pid, same.pid);
    assert.deepEqual(identity('any'), any);
  });

  it('stops a program that only an earlier server knew', async () => {
    await programs.ensure(sleeper('old'));
    const before = identity('old');
    programs.close();
    programs = open();
    await programs.stop('old');
    assert.equal(isAlive(before), false);
    assert.deepEqual(await programs.recorded(), []);
  });

  it('leaves a program with restart: false ended, and tells it', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await programs.ensure({ ...sleeper('once'), restart: false, onExit: resolve });
    process.kill(identity('once').pid, 'SIGKILL');
    await promise;
    assert.deepEqual(programs.status(), [{ name: 'once', pid: null, state: 'stopped', restarts: 0 }]);
  });

  it('tells why a program does not get ready, and leaves nothing behind', async () => {
    const broken = programs.ensure({
      name: 'broken',
      argv: ['sh', '-c', 'echo "bad option" >&2; exit 3'],
      ready: async () => false,
    });
    await assert.rejects(broken, (error) => isExternalError(error) && /bad option/.test(error.message));
    assert.deepEqual(await programs.recorded(), []);
    assert.deepEqual(programs.status(), []);
  });

  it('refuses a name that would leave its folder', async () => {
    await assert.rejects(programs.ensure(sleeper('../x')), TypeError);
  });

  it('never loses or doubles a program, whenever the server is killed', async () => {
    const seconds = String(100_000 + process.pid); // tells our program from anybody else's
    for (let round = 0; round < 15; round++) {
      const server = spawn(
        process.execPath,
        [join(import.meta.dirname, 'programs.fixture.ts'), folder, seconds],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const exited = new Promise((resolve) => server.once('exit', resolve));
      await new Promise<void>((resolve) => server.stdout.once('data', () => resolve()));
      // It is now somewhere between "about to start" and "started": kill it at another point each time.
      await delay(round % 15);
      server.kill('SIGKILL');
      await exited;
      // A process held at the gate reads end-of-file; one that was let through becomes the program: both in their own time.
      await until(`round ${round}: each live program is recorded`, async () => {
        const [alive, recorded] = [await sleeping(seconds), await programs.recorded()];
        assert.ok(alive.length <= 1, `round ${round}: ${alive.length} copies run`);
        return alive.length === recorded.length;
      });
      // Odd rounds leave it to be adopted by the next server.
      if (round % 2 === 0) await programs.stop('fixture');
    }
    await programs.stop('fixture');
    assert.deepEqual(await sleeping(seconds), []);
  });
});

/** Numbers of the processes that are `sleep SECONDS`. */
async function sleeping(seconds: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const command = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (command === `sleep\0${seconds}\0`) found.push(Number(entry));
  }
  return found.filter((pid) => identifyProcess(pid) !== undefined);
}
