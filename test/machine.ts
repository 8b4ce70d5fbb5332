import { join } from 'node:path';
import { attempt, type ExecResult, run } from '../packages/server/src/platform/index.ts';
import type { Platform } from './platform.ts';

/** A machine on a platform's walt-net: a network namespace of its own, with a veth pair to the bridge as its cable. */
export class Machine implements AsyncDisposable {
  readonly ip: string;
  readonly #namespace: string;
  readonly #platform: string;
  readonly #port: string;

  private constructor(platform: Platform, index: number, ip: string) {
    this.ip = ip;
    this.#platform = platform.namespace;
    this.#namespace = `${platform.namespace}-m${index}`;
    this.#port = `machine${index}`;
  }

  /** `ip` of the platform's subnet; further addresses may be added with `addresses`. */
  static async plug(
    platform: Platform,
    index: number,
    { ip, mac, addresses = [] }: { ip: string; mac: string; addresses?: readonly string[] },
  ): Promise<Machine> {
    const machine = new Machine(platform, index, ip);
    const [, prefix] = platform.config.network.subnet.split('/');
    const inside = ['ip', '-netns', platform.namespace];
    const own = ['ip', '-netns', machine.#namespace];
    await run(['ip', 'netns', 'add', machine.#namespace]);
    try {
      const peer = ['peer', 'name', 'eth0', 'address', mac, 'netns', machine.#namespace];
      await run([...inside, 'link', 'add', machine.#port, 'type', 'veth', ...peer]);
      await run([...inside, 'link', 'set', machine.#port, 'master', 'walt0', 'up']);
      await run([...own, 'link', 'set', 'lo', 'up']);
      await run([...own, 'link', 'set', 'eth0', 'up']);
      for (const address of [ip, ...addresses])
        await run([...own, 'address', 'add', `${address}/${prefix}`, 'dev', 'eth0']);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program of this folder's tests on it, to its end. Throws with what it printed when it fails. */
  async program(path: string, ...words: string[]): Promise<string> {
    const file = join(import.meta.dirname, path);
    const { status, stdout, stderr } = await this.attempt(process.execPath, file, ...words);
    if (status !== 0) throw new Error(`${path} ${words.join(' ')}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  attempt(...argv: string[]): Promise<ExecResult> {
    const env = { NODE_TEST_CONTEXT: '' };
    return attempt(['ip', 'netns', 'exec', this.#namespace, ...argv], { timeout: 240_000, env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // With the namespace alone, the cable would go too, but some time later.
    await attempt(['ip', '-netns', this.#platform, 'link', 'delete', this.#port]);
    await attempt(['ip', 'netns', 'delete', this.#namespace]);
  }
}
