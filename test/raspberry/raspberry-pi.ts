/** A Raspberry Pi on a platform's walt-net: its firmware is the stand-in of this folder, the board behind it QEMU's. */
import { join } from 'node:path';
import type { Platform } from '../platform.ts';
import type { Loaded } from './firmware.ts';
import { Wire } from './wire.ts';

export interface RaspberryPiOptions {
  model: string;
  mac: string;
  /** As in `/proc/cpuinfo`, its last eight digits, or another folder that its EEPROM was told. */
  serial: string;
}

const QEMU = [
  'qemu-system-aarch64',
  '-M',
  'raspi3b',
  '-m',
  '1G',
  '-smp',
  '4',
  '-display',
  'none',
  '-no-reboot',
];

export class RaspberryPi implements AsyncDisposable {
  readonly #options: RaspberryPiOptions;
  readonly #wire: Wire;
  readonly #folder: string;
  #unplugged = false;

  private constructor(wire: Wire, folder: string, options: RaspberryPiOptions) {
    this.#wire = wire;
    this.#folder = folder;
    this.#options = options;
  }

  static async plug(platform: Platform, index: number, options: RaspberryPiOptions): Promise<RaspberryPi> {
    const wire = await Wire.plug(platform.namespace, `p${index}`);
    return new RaspberryPi(wire, join(platform.folder, `board${index}`), options);
  }

  /** Where its console is kept, over all its boots. */
  get console(): string {
    return `${this.#folder}.console`;
  }

  /** What its firmware loads once it is switched on; `short`: as far as its device tree. Throws where it would stand still. */
  load(...how: ['short'] | []): Promise<Loaded> {
    const { model, serial, mac } = this.#options;
    return this.#wire.load(
      join(import.meta.dirname, 'firmware.ts'),
      mac,
      this.#folder,
      model,
      serial,
      ...how,
    );
  }

  /** Starts what the firmware has loaded, and nothing else: resolves when the machine is reset or switched off. */
  async run({ kernel, initramfs, deviceTree, arguments: line }: Loaded): Promise<void> {
    if (!kernel || !initramfs || !deviceTree || line === null)
      throw new Error('its firmware has nothing to start');
    const emulator = [
      ...QEMU,
      ...['-kernel', kernel, '-initrd', initramfs, '-dtb', deviceTree, '-append', line],
      // The wire of pins 8 and 10 is its second one.
      ...['-chardev', `file,id=wire,path=${this.console},append=on`],
      ...['-serial', 'null', '-serial', 'chardev:wire', '-monitor', 'none'],
    ];
    await this.#wire.run(emulator, 'usb-net', this.#options.mac);
  }

  /** Firmware and machine, again and again, as a board that has power. Ends when it is unplugged. */
  async power(): Promise<void> {
    while (!this.#unplugged) await this.run(await this.load());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unplugged = true;
    await this.#wire[Symbol.asyncDispose]();
  }
}
