/** A PC on a platform's walt-net that boots by an adapter on USB: a stand-in for firmware and iPXE, then what it has loaded, in QEMU. */
import { join } from 'node:path';
import type { Platform } from '../platform.ts';
import { Wire } from '../raspberry/wire.ts';
import { PC_EMULATOR } from './pc.ts';
import type { Loaded } from './usb-firmware.ts';

export class UsbPc implements AsyncDisposable {
  readonly mac: string;
  readonly #wire: Wire;
  readonly #folder: string;

  private constructor(wire: Wire, folder: string, mac: string) {
    this.#wire = wire;
    this.#folder = folder;
    this.mac = mac;
  }

  static async plug(platform: Platform, mac: string): Promise<UsbPc> {
    const wire = await Wire.plug(platform.namespace, 'usb');
    return new UsbPc(wire, join(platform.folder, 'usb-pc'), mac);
  }

  /** What its firmware loads once it is switched on. */
  load(): Promise<Loaded> {
    return this.#wire.load(join(import.meta.dirname, 'usb-firmware.ts'), this.mac, this.#folder);
  }

  /** Starts that, and nothing else: resolves when the machine is reset or switched off. */
  run({ kernel, initramfs, arguments: line }: Loaded): Promise<void> {
    const emulator = [
      ...PC_EMULATOR,
      ...['-no-user-config', '-nodefaults', '-display', 'none', '-smp', '2', '-m', '1G', '-no-reboot'],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', line],
      ...['-device', 'qemu-xhci,id=usb'],
    ];
    return this.#wire.run(emulator, 'usb-net,bus=usb.0', this.mac);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire[Symbol.asyncDispose]();
  }
}
