import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { virtualModelOf } from '../../models/index.ts';
import {
  isExternalError,
  type Log,
  type Paths,
  readIfPresent,
  run,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import { bootCommands, bootSector, EXIT_WITH_AL, runBootSector, runNetworkProgram } from './boot-sector.ts';
import type { Accelerator } from './machine.ts';

/** Seconds that a guest of a few instructions may take to boot from a disk. TCG needs a tenth of one. */
const PROBE_LIMIT = 5;
/** The same for one that boots from the network. TCG needs 3 s on an idle machine. */
const NETWORK_LIMIT = 15;
/** What the guest writes before it ends: `mov al, 0x2a`, and what QEMU makes of it. */
const PROBE = bootSector([0xb0, 0x2a, ...EXIT_WITH_AL]);
const PROBE_STATUS = 2 * 0x2a + 1;

const remembered = z.object({ machine: z.string(), accelerator: z.enum(['kvm', 'tcg']) });

/**
 * Finds out whether KVM works, by booting a tiny guest with it: on some machines /dev/kvm opens, makes a vCPU, and still QEMU
 * aborts or the guest spins in its BIOS for ever. The answer is remembered in the cache, for this boot of this machine.
 * Throws UserError UNAVAILABLE when QEMU is missing.
 */
export async function findAccelerator(
  paths: Pick<Paths, 'cache'>,
  log: Log,
  probe = canBoot,
): Promise<Accelerator> {
  const version = await qemuVersion();
  if (!(await isUsable('/dev/kvm'))) return 'tcg';
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const machine = `Linux ${release()}, boot ${boot}, ${version}`;
  const file = join(paths.cache, 'accelerator.json');
  const known = parse(await readIfPresent(file));
  if (known?.machine === machine) return known.accelerator;

  const accelerator = (await probe('kvm', log)) ? 'kvm' : 'tcg';
  await mkdir(paths.cache, { recursive: true });
  await writeFileAtomic(file, `${JSON.stringify({ machine, accelerator })}\n`);
  return accelerator;
}

/**
 * Boots a guest of one sector, from a disk and then from the network, as nodes do: there is KVM that runs the one and hangs in the
 * other. False when it did not do its work in time, for whatever reason.
 */
export async function canBoot(accelerator: Accelerator, log: Log): Promise<boolean> {
  for (const [from, boot, limit] of [
    ['disk', runBootSector, PROBE_LIMIT],
    ['network', runNetworkProgram, NETWORK_LIMIT],
  ] as const) {
    const { status, output } = await boot(PROBE, { accelerator, limit });
    const works = status === PROBE_STATUS;
    const why = works ? undefined : output.trim().split('\n').at(0) || 'the guest did not boot in time';
    log.info('booted a probe', { accelerator, from, works, status, why });
    if (!works) return false;
  }
  return true;
}

/**
 * The same on another machine: command lines that say with exit status `status` that KVM works, each, in a folder where `sector` is a file
 * of that name. They end by themselves.
 */
export function kvmProbes(name: string): { sector: Uint8Array; status: number; commands: string[][] } {
  const commands = bootCommands(name, 'kvm', { disk: PROBE_LIMIT, network: NETWORK_LIMIT });
  return { sector: PROBE, status: PROBE_STATUS, commands };
}

/** True for a device that this process may open for reading and writing. */
export async function isUsable(device: string): Promise<boolean> {
  return access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function qemuVersion(): Promise<string> {
  const { emulator } = virtualModelOf('pc-x86-64').qemu;
  try {
    return (await run([emulator, '--version'])).split('\n')[0] ?? '';
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `${emulator} does not start, so there can be no virtual nodes: ${error.message}`,
      'Install the packages qemu-system-x86 and ipxe-qemu.',
    );
  }
}

function parse(text: string | undefined) {
  if (text === undefined) return undefined;
  try {
    return remembered.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON: as good as none
  }
}
