/**
 * Stands in for the firmware of a Raspberry Pi: asks DHCP, then loads by TFTP what the real one loads, in its order, and writes what it
 * was given to a folder. Runs where the board's network is. Ends with a JSON line on standard output.
 * usage: firmware.ts MAC DEVICE FOLDER MODEL SERIAL [short]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { boards } from './boards.ts';
import { raspberryPi, takeAddress } from './dhcp.ts';
import { type Fetched, fetchFile } from './tftp.ts';

export interface Loaded {
  ip: string;
  server: string;
  /** Option 43, in hexadecimal. */
  option43: string;
  /** Each request, with the bytes that came; null: not found. */
  requests: [path: string, size: number | null, milliseconds: number][];
  /** What `config.txt` names, as files of the folder; null: not there. */
  kernel: string | null;
  initramfs: string | null;
  deviceTree: string | null;
  arguments: string | null;
  config: string | null;
}

async function boot(words: string[]): Promise<Loaded> {
  const [mac = '', device = '', folder = '', model = '', serial = '', short] = words;
  const board = boards[model];
  if (!board) throw new Error(`no firmware of ${model} is known`);
  await mkdir(folder, { recursive: true });
  const offer = await takeAddress(mac, device, raspberryPi);
  const requests: Loaded['requests'] = [];
  const ask = async (path: string, options?: { options?: boolean; probe?: boolean }): Promise<Fetched> => {
    const fetched = await fetchFile(offer.server, path, options);
    requests.push([path, fetched.content?.length ?? fetched.size ?? null, Math.round(fetched.answered)]);
    return fetched;
  };
  for (const name of board.rom) await ask(name, { options: false });
  let found = false;
  for (const name of board.probes)
    found ||= (await ask(`${serial}/${name}`, { probe: true })).size !== undefined;
  const prefix = found ? `${serial}/` : '';
  /** It learns the size, hangs up, and asks again. */
  const load = async (name: string): Promise<Buffer | undefined> => {
    if ((await ask(`${prefix}${name}`, { probe: true })).size === undefined) return undefined;
    return (await ask(`${prefix}${name}`)).content;
  };
  const keep = async (name: string): Promise<string | null> => {
    const content = await load(name);
    if (!content) return null;
    const file = join(folder, name);
    await writeFile(file, content);
    return file;
  };
  for (const name of board.start) await keep(name);
  const config = (await load('config.txt'))?.toString() ?? '';
  const setting = (pattern: RegExp) => pattern.exec(config)?.[1] ?? 'missing';
  const deviceTree = await keep(board.deviceTree);
  for (const name of ['overlays/overlay_map.dtb', 'config.txt']) await load(name);
  const line = await load(setting(/^cmdline=(.*)$/m).replace('missing', 'cmdline.txt'));
  await load('armstub8.bin');
  const kernel = short ? null : await keep(setting(/^kernel=(.*)$/m));
  const initramfs = short ? null : await keep(setting(/^initramfs (\S+) followkernel$/m));
  return {
    ...{
      ip: offer.ip,
      server: offer.server,
      option43: offer.options.get(43)?.toString('hex') ?? '',
      requests,
    },
    ...{ kernel, initramfs, deviceTree, config, arguments: line?.toString().split('\n')[0] ?? null },
  };
}

process.stdout.write(`${JSON.stringify(await boot(process.argv.slice(2)))}\n`);
