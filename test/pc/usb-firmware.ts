/**
 * Stands in for what a PC runs that boots by an adapter on USB: firmware with a driver for it, and iPXE over that driver. No such firmware
 * is at hand: that of QEMU's PCs has none, nor has Debian's iPXE for the adapter that QEMU plays. Asks DHCP, then runs the boot scripts
 * that it is told, as far as they name files, and writes these to a folder. Ends with a JSON line on standard output.
 * usage: usb-firmware.ts MAC DEVICE FOLDER
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Speaker, takeAddress } from '../raspberry/dhcp.ts';

export interface Loaded {
  /** Files of the folder. */
  kernel: string;
  initramfs: string;
  arguments: string;
  /** Paths that were asked for, in their order, without what tells who asks. */
  requests: string[];
}

/** What iPXE says of itself, when UEFI has started it. */
const ipxe: Speaker = {
  options: [
    [
      55,
      Buffer.from([1, 3, 6, 7, 12, 15, 17, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175]),
    ],
    [60, Buffer.from('PXEClient:Arch:00007:UNDI:003010')],
    [77, Buffer.from('iPXE')],
    [93, Buffer.from([0, 7])],
    [94, Buffer.from([1, 3, 16])],
  ],
};
/** Scripts that it runs one after the other, before it finds a kernel in none. */
const MAX_SCRIPTS = 20;

async function boot([mac = '', device = '', folder = '']: string[]): Promise<Loaded> {
  await mkdir(folder, { recursive: true });
  const offer = await takeAddress(mac, device, ipxe);
  const fields: Record<string, string> = {
    ...{ 'netX/mac': mac, buildarch: 'x86_64', 'walt-cpu': 'x86_64' },
    ...{ 'product:uristring': 'A%20PC', 'manufacturer:uristring': 'Nobody' },
  };
  const filled = (text: string) => text.replaceAll(/\$\{(.+?)\}/g, (_, name) => fields[name] ?? '');
  const requests: string[] = [];
  const ask = async (url: string) => {
    const response = await fetch(url);
    requests.push(new URL(url).pathname);
    if (response.status !== 200) throw new Error(`${url}: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const keep = async (name: string, url: string) => {
    const file = join(folder, name);
    await writeFile(file, await ask(url));
    return file;
  };
  let next = offer.options.get(67)?.toString('latin1').replace(/\0+$/, '') ?? 'none';
  for (let count = 0; count < MAX_SCRIPTS; count += 1) {
    const script = (await ask(filled(next))).toString();
    if (!script.startsWith('#!ipxe\n')) throw new Error(`no script:\n${script}`);
    const [, kernel = '', line = ''] = /^kernel (\S+) (.*) \|\| goto failed$/m.exec(script) ?? [];
    const [, initramfs = ''] = /^initrd --name \S+ (\S+) \|\| goto failed$/m.exec(script) ?? [];
    if (kernel && initramfs)
      return {
        ...{ kernel: await keep('kernel', kernel), initramfs: await keep('initramfs', initramfs) },
        ...{ arguments: line, requests },
      };
    const [, again] = /^chain --replace (\S+)/m.exec(script) ?? [];
    if (again === undefined) throw new Error(`a script that leads nowhere:\n${script}`);
    const [, seconds = 0] = /^sleep (\d+)$/m.exec(script) ?? [];
    await delay(Number(seconds) * 1000);
    next = again;
  }
  throw new Error('no script names a kernel');
}

process.stdout.write(`${JSON.stringify(await boot(process.argv.slice(2)))}\n`);
