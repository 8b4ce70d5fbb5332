import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { virtualModelOf } from '../../models/index.ts';
import { attempt } from '../../platform/index.ts';
import { type Accelerator, escapeValue } from './machine.ts';

/** The machine that is tried: what most nodes are. */
const PC = 'pc-x86-64';

/** I/O port of QEMU's isa-debug-exit: a write of VALUE ends QEMU with exit status 2 × VALUE + 1. */
const EXIT_PORT = 0x501;

/** `mov dx, EXIT_PORT; out dx, al; hlt; jmp hlt`: ends QEMU with what is in AL. */
export const EXIT_WITH_AL = [0xba, EXIT_PORT & 0xff, EXIT_PORT >> 8, 0xee, 0xf4, 0xeb, 0xfd];

/** The 512 bytes that a PC's BIOS loads at 0000:7C00 and runs in real mode. */
export function bootSector(code: readonly number[]): Uint8Array {
  if (code.length > 510) throw new RangeError('a boot sector has room for 510 bytes of code');
  const sector = new Uint8Array(512);
  sector.set(code);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

interface RunOptions {
  accelerator: Accelerator;
  /** Seconds. */
  limit: number;
  args?: readonly string[];
}

/** Exit status of QEMU, null when it did not end in time or could not go on, and what it said. */
interface Outcome {
  status: number | null;
  output: string;
}

/** Boots a PC, through its BIOS, from that sector on a disk. */
export function runBootSector(sector: Uint8Array, options: RunOptions): Promise<Outcome> {
  return withFile(sector, (_folder, file) => runPc(options, fromDisk(file)));
}

function fromDisk(file: string): string[] {
  return [
    ...['-machine', 'pc,graphics=off', '-cpu', 'max', '-m', '16M'],
    ...['-drive', `file=${file},format=raw,if=ide`],
  ];
}

/**
 * Boots a PC as nodes are, from the network: BIOS, iPXE, a virtio card, DHCP, TFTP. All of that network is inside QEMU. What is
 * loaded runs as a boot sector does (Preboot Execution Environment 2.1, 3.5).
 */
export function runNetworkProgram(sector: Uint8Array, options: RunOptions): Promise<Outcome> {
  return withFile(sector, (folder, file) => runPc(options, fromNetwork(folder, basename(file))));
}

function fromNetwork(folder: string, name: string): string[] {
  const pc = virtualModelOf(PC).qemu;
  return [
    ...['-machine', pc.machine, '-cpu', pc.cpu, '-m', '64M'],
    ...['-netdev', `user,id=net,restrict=on,tftp=${folder},bootfile=${name}`],
    ...['-device', `${pc.card},netdev=net,bootindex=0`],
  ];
}

/** Command lines of both, for another machine: in the folder that they are run in, `name` is the sector. */
export function bootCommands(
  name: string,
  accelerator: Accelerator,
  limits: { disk: number; network: number },
): string[][] {
  return [
    pcCommand({ accelerator, limit: limits.disk }, fromDisk(name)),
    pcCommand({ accelerator, limit: limits.network }, fromNetwork('.', name)),
  ];
}

/** `act` gets the paths as QEMU's options take them. */
async function withFile(
  content: Uint8Array,
  act: (folder: string, file: string) => Promise<Outcome>,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-boot-sector-'));
  try {
    const file = join(folder, 'sector');
    await writeFile(file, content);
    return await act(escapeValue(folder), escapeValue(file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What KVM says where it cannot go on: QEMU then waits for ever. */
const STUCK = /^KVM internal error/;

/** timeout(1) ends it, so that no guest is left even if this process dies meanwhile. */
function pcCommand({ accelerator, limit, args = [] }: RunOptions, machine: string[]): string[] {
  return [
    ...['timeout', '--signal=KILL', String(limit)],
    ...[
      virtualModelOf(PC).qemu.emulator,
      '-no-user-config',
      '-nodefaults',
      '-display',
      'none',
      '-accel',
      accelerator,
    ],
    ...['-device', `isa-debug-exit,iobase=${EXIT_PORT},iosize=1`],
    ...machine,
    ...args,
  ];
}

async function runPc(options: RunOptions, machine: string[]): Promise<Outcome> {
  const stuck = new AbortController();
  let output = '';
  try {
    const { status, stderr } = await attempt(pcCommand(options, machine), {
      signal: stuck.signal,
      onStderrLine: (line) => {
        output += `${line}\n`;
        if (STUCK.test(line)) stuck.abort();
      },
    });
    return { status, output: stderr };
  } catch (error) {
    if (!stuck.signal.aborted) throw error;
    return { status: null, output };
  }
}
