import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt } from '../../platform/index.ts';
import type { Accelerator } from './accelerator.ts';

export const QEMU = 'qemu-system-x86_64';

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

/**
 * Boots a PC, through its BIOS, from that sector on a disk. Answers QEMU's exit status; null when it did not end within `limit`
 * seconds, and was killed. timeout(1) does that, so that no guest is left even if this process dies meanwhile.
 */
export async function runBootSector(
  sector: Uint8Array,
  options: { accelerator: Accelerator; limit: number; args?: readonly string[] },
): Promise<{ status: number | null; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-boot-sector-'));
  try {
    const disk = join(folder, 'disk');
    await writeFile(disk, sector);
    const { status, stderr } = await attempt([
      'timeout',
      '--signal=KILL',
      String(options.limit),
      QEMU,
      '-no-user-config',
      '-nodefaults',
      ...['-display', 'none'],
      ...['-machine', 'pc,graphics=off'],
      ...['-accel', options.accelerator],
      ...['-cpu', 'max'],
      ...['-m', '16M'],
      ...['-drive', `file=${disk.replaceAll(',', ',,')},format=raw,if=ide`],
      ...['-device', `isa-debug-exit,iobase=${EXIT_PORT},iosize=1`],
      ...(options.args ?? []),
    ]);
    return { status, output: stderr };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
