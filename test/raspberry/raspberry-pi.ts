/** A Raspberry Pi on a platform's walt-net: its firmware is the stand-in of this folder, the board behind it QEMU's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { attempt, run } from '../../packages/server/src/platform/index.ts';
import type { Platform } from '../platform.ts';
import type { Loaded } from './firmware.ts';

export interface RaspberryPiOptions {
  model: string;
  mac: string;
  /** As in `/proc/cpuinfo`, its last eight digits, or another folder that its EEPROM was told. */
  serial: string;
}

/** The board's own network, in a namespace: a bridge with its cable and, while it runs, the adapter of its QEMU. */
export class RaspberryPi implements AsyncDisposable {
  readonly #platform: Platform;
  readonly #options: RaspberryPiOptions;
  readonly #namespace: string;
  readonly #port: string;
  readonly #folder: string;
  #machine: ChildProcess | undefined;

  private constructor(platform: Platform, index: number, options: RaspberryPiOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#namespace = `${platform.namespace}-p${index}`;
    this.#port = `board${index}`;
    this.#folder = join(platform.folder, `board${index}`);
  }

  static async plug(platform: Platform, index: number, options: RaspberryPiOptions): Promise<RaspberryPi> {
    const board = new RaspberryPi(platform, index, options);
    const own = ['ip', '-netns', board.#namespace];
    const inside = ['ip', '-netns', platform.namespace];
    await run(['ip', 'netns', 'add', board.#namespace]);
    try {
      const peer = ['peer', 'name', 'cable', 'netns', board.#namespace];
      await run([...inside, 'link', 'add', board.#port, 'type', 'veth', ...peer]);
      await run([...inside, 'link', 'set', board.#port, 'master', 'walt0', 'up']);
      await run([...own, 'link', 'add', 'eth0', 'type', 'bridge', 'forward_delay', '0']);
      await run([...own, 'link', 'set', 'cable', 'master', 'eth0', 'up']);
      await run([...own, 'tuntap', 'add', 'dev', 'usb0', 'mode', 'tap']);
      await run([...own, 'link', 'set', 'usb0', 'master', 'eth0', 'up']);
      return board;
    } catch (error) {
      await board[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where its console is kept, over all its boots. */
  get console(): string {
    return `${this.#folder}.console`;
  }

  /** What its firmware loads once it is switched on; `short`: as far as its device tree. Throws where it would stand still. */
  async load(...how: ['short'] | []): Promise<Loaded> {
    const own = ['ip', '-netns', this.#namespace];
    await run([...own, 'link', 'set', 'eth0', 'address', this.#options.mac]);
    await run([...own, 'link', 'set', 'eth0', 'up']);
    try {
      const { model, serial, mac } = this.#options;
      const words = [model, serial, mac, 'eth0', this.#folder, ...how];
      const file = join(import.meta.dirname, 'firmware.ts');
      const argv = ['ip', 'netns', 'exec', this.#namespace, process.execPath, file, ...words];
      const { status, stdout, stderr } = await attempt(argv, {
        timeout: 240_000,
        env: { NODE_TEST_CONTEXT: '' },
      });
      if (status !== 0) throw new Error(`the firmware gave up:\n${stdout}${stderr}`);
      return JSON.parse(stdout);
    } finally {
      // From here on, the address is that of the adapter in QEMU.
      await run([...own, 'address', 'flush', 'dev', 'eth0']);
      await run([...own, 'link', 'set', 'eth0', 'address', '02:00:00:00:00:02']);
    }
  }

  /** Starts what the firmware has loaded, and nothing else: resolves when the machine is reset or switched off. */
  async run({ kernel, initramfs, deviceTree, arguments: line }: Loaded): Promise<void> {
    if (!kernel || !initramfs || !deviceTree || line === null)
      throw new Error('its firmware has nothing to start');
    const argv = [
      ...['qemu-system-aarch64', '-M', 'raspi3b', '-m', '1G', '-smp', '4', '-display', 'none', '-no-reboot'],
      ...['-kernel', kernel, '-initrd', initramfs, '-dtb', deviceTree, '-append', line],
      // The wire of pins 8 and 10 is its second one.
      ...['-chardev', `file,id=wire,path=${this.console},append=on`],
      ...['-serial', 'null', '-serial', 'chardev:wire', '-monitor', 'none'],
      ...['-netdev', 'tap,id=net,ifname=usb0,script=no,downscript=no'],
      ...['-device', `usb-net,netdev=net,mac=${this.#options.mac}`],
    ];
    const alone = ['--pdeathsig', 'KILL', '--', 'ip', 'netns', 'exec', this.#namespace];
    this.#machine = spawn('setpriv', [...alone, ...argv], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(this.#machine, 'exit');
    this.#machine = undefined;
  }

  /** Firmware and machine, again and again, as a board that has power. Ends when it is unplugged. */
  async power(): Promise<void> {
    while (!this.#unplugged) await this.run(await this.load());
  }

  #unplugged = false;

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unplugged = true;
    const machine = this.#machine;
    if (machine) {
      machine.kill('SIGKILL');
      await once(machine, 'exit').catch(() => {});
    }
    await attempt(['ip', '-netns', this.#platform.namespace, 'link', 'delete', this.#port]);
    await attempt(['ip', 'netns', 'delete', this.#namespace]);
  }
}
