/** A machine's own network, in a namespace: a bridge with its cable to walt-net and, while it runs, the adapter of its QEMU. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { attempt, run } from '../../packages/server/src/platform/index.ts';

/** What the firmware speaks through, before the machine starts. */
const DEVICE = 'eth0';
/** QEMU's options for the other end of its adapter, whose `netdev` is `net`. */
const NET = ['-netdev', 'tap,id=net,ifname=usb0,script=no,downscript=no'];

export class Wire implements AsyncDisposable {
  readonly #platform: string;
  readonly #namespace: string;
  readonly #port: string;
  #machine: ChildProcess | undefined;

  private constructor(platform: string, name: string) {
    this.#platform = platform;
    this.#namespace = `${platform}-${name}`;
    this.#port = `to-${name}`;
  }

  /** `platform`: its namespace. `name` is another for each machine there, and short. */
  static async plug(platform: string, name: string): Promise<Wire> {
    const wire = new Wire(platform, name);
    const own = ['ip', '-netns', wire.#namespace];
    const inside = ['ip', '-netns', platform];
    await run(['ip', 'netns', 'add', wire.#namespace]);
    try {
      const peer = ['peer', 'name', 'cable', 'netns', wire.#namespace];
      await run([...inside, 'link', 'add', wire.#port, 'type', 'veth', ...peer]);
      await run([...inside, 'link', 'set', wire.#port, 'master', 'walt0', 'up']);
      await run([...own, 'link', 'add', DEVICE, 'type', 'bridge', 'forward_delay', '0']);
      await run([...own, 'link', 'set', 'cable', 'master', DEVICE, 'up']);
      await run([...own, 'tuntap', 'add', 'dev', 'usb0', 'mode', 'tap']);
      await run([...own, 'link', 'set', 'usb0', 'master', DEVICE, 'up']);
      return wire;
    } catch (error) {
      await wire[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program that plays firmware, as `FILE MAC DEVICE WORDS`, with that address. Answers what it has loaded, as it told it. */
  async load<T>(file: string, mac: string, ...words: string[]): Promise<T> {
    const own = ['ip', '-netns', this.#namespace];
    await run([...own, 'link', 'set', DEVICE, 'address', mac]);
    await run([...own, 'link', 'set', DEVICE, 'up']);
    try {
      const program = ['ip', 'netns', 'exec', this.#namespace, process.execPath, file];
      const { status, stdout, stderr } = await attempt([...program, mac, DEVICE, ...words], {
        timeout: 240_000,
        env: { NODE_TEST_CONTEXT: '' },
      });
      if (status !== 0) throw new Error(`the firmware gave up:\n${stdout}${stderr}`);
      return JSON.parse(stdout);
    } finally {
      // From here on, the address is that of the adapter in QEMU.
      await run([...own, 'address', 'flush', 'dev', DEVICE]);
      await run([...own, 'link', 'set', DEVICE, 'address', '02:00:00:00:00:02']);
    }
  }

  /** Runs QEMU at this wire, with an adapter of that kind: resolves when the machine is reset or switched off. */
  async run(emulator: readonly string[], adapter: string, mac: string): Promise<void> {
    const argv = [...emulator, ...NET, '-device', `${adapter},netdev=net,mac=${mac}`];
    const alone = ['--pdeathsig', 'KILL', '--', 'ip', 'netns', 'exec', this.#namespace];
    this.#machine = spawn('setpriv', [...alone, ...argv], { stdio: ['ignore', 'ignore', 'inherit'] });
    await once(this.#machine, 'exit');
    this.#machine = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const machine = this.#machine;
    if (machine) {
      machine.kill('SIGKILL');
      await once(machine, 'exit').catch(() => {});
    }
    await attempt(['ip', '-netns', this.#platform, 'link', 'delete', this.#port]);
    await attempt(['ip', 'netns', 'delete', this.#namespace]);
  }
}
