/** Tests that need walt-net: each test file runs its tests in a network namespace and a state folder of its own. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { it } from 'node:test';
import { attempt, closeDisks, namespaceFile, Programs, platformPaths, run } from '../platform/index.ts';
import { ensureNamespace, removeNamespace } from './namespace.ts';

const STATE = 'WALT_TEST_STATE';
const NAMESPACE = 'WALT_TEST_NAMESPACE';
/** Milliseconds for all tests of a file, and then for cleaning up. */
const LIMIT = 170_000;
const silent = { info() {}, warn() {}, error() {} };

/** Runs `define`, which declares the tests, inside; from outside, one test stands for all of them. */
export function testInNamespace(file: string, define: (state: string) => void): void {
  const state = process.env[STATE];
  if (state !== undefined) define(state);
  else
    it('in a network namespace of its own', { timeout: LIMIT + 30_000 }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'walt-network-'));
      const namespace = `wt${process.pid}`;
      const config = { state: folder, network: { namespace } };
      await ensureNamespace(config);
      try {
        const inside = ['nsenter', `--net=${namespaceFile(namespace)}`, '--'];
        const environment = [
          'env',
          '--unset=NODE_TEST_CONTEXT',
          `${STATE}=${folder}`,
          `${NAMESPACE}=${namespace}`,
        ];
        const test = [process.execPath, '--test', '--test-reporter=spec', file];
        const { status, stdout, stderr } = await attempt([...inside, ...environment, ...test], {
          timeout: LIMIT,
        });
        assert.equal(status, 0, stdout + stderr);
        assert.match(stdout, /pass [1-9]/);
      } finally {
        // What tests that were cut off may have left.
        const { paths, programs } = testPlatform(folder);
        for (const name of await programs.recorded()) await programs.stop(name);
        programs.close();
        await closeDisks(paths);
        for (const name of await machines(namespace)) await run(['ip', 'netns', 'delete', name]);
        await removeNamespace(config);
        await rm(folder, { recursive: true });
      }
    });
}

/** Paths below the test's state folder, and its supervised programs. */
export function testPlatform(state: string) {
  const paths = platformPaths({ state, runtime: join(state, 'run'), cache: join(state, 'cache') });
  return { paths, programs: new Programs(paths, silent), log: silent };
}

/** Namespaces of the test's machines. */
async function machines(namespace: string): Promise<string[]> {
  const listed = (await run(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '');
  return listed.filter((name) => /^\d+$/.test(name.replace(`${namespace}-`, '')));
}

/** A machine on the bridge: a network namespace with a veth pair as its cable. */
export class Machine {
  readonly #namespace: string;
  readonly #port: string;
  private constructor(namespace: string, port: string) {
    this.#namespace = namespace;
    this.#port = port;
  }

  static async plug(
    index: number,
    bridge: string,
    settings: { mac?: string; ip?: string },
  ): Promise<Machine> {
    const namespace = `${process.env[NAMESPACE]}-${index}`;
    await run(['ip', 'netns', 'add', namespace]);
    const port = `machine${index}`;
    const machine = new Machine(namespace, port);
    const mac = settings.mac === undefined ? [] : ['address', settings.mac];
    const peer = ['peer', 'name', 'eth0', ...mac, 'netns', namespace];
    await run(['ip', 'link', 'add', port, 'type', 'veth', ...peer]);
    await run(['ip', 'link', 'set', port, 'master', bridge, 'up']);
    await run(['ip', '-netns', namespace, 'link', 'set', 'eth0', 'up']);
    if (settings.ip !== undefined) {
      await run(['ip', '-netns', namespace, 'address', 'add', settings.ip, 'dev', 'eth0']);
    }
    return machine;
  }

  /** Standard output and error of a program that runs on it, and its status. */
  async attempt(...argv: string[]): Promise<{ status: number | null; output: string }> {
    const inside = ['ip', 'netns', 'exec', this.#namespace, ...argv];
    const { status, stdout, stderr } = await attempt(inside, { timeout: 120_000 });
    return { status, output: stdout + stderr };
  }

  /** A program that runs on it beside others, until it ends or is killed. */
  start(...argv: string[]): ChildProcessByStdio<null, Readable, null> {
    return spawn('ip', ['netns', 'exec', this.#namespace, ...argv], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  async unplug(): Promise<void> {
    // With the namespace alone, the cable would go too, but some time later.
    await run(['ip', 'link', 'delete', this.#port]);
    await run(['ip', 'netns', 'delete', this.#namespace]);
  }
}
