import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { enterKeyRom } from '../../models/index.ts';
import { bootSector, EXIT_WITH_AL, runBootSector } from './boot-sector.ts';

/** `mov ah, 00h; int 16h`: waits for a key; its character is then in AL. */
const waitForKey = bootSector([0xb4, 0x00, 0xcd, 0x16, ...EXIT_WITH_AL]);
const ENTER = 0x0d;

it('a guest that waits for a key gets Enter from the option ROM, and waits for ever without it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-rom-'));
  try {
    const rom = join(folder, 'enter-key.rom');
    await writeFile(rom, enterKeyRom());
    const pressed = await runBootSector(waitForKey, {
      accelerator: 'tcg',
      limit: 30,
      args: ['-option-rom', rom],
    });
    assert.deepEqual(pressed, { status: 2 * ENTER + 1, output: '' });
    const { status } = await runBootSector(waitForKey, { accelerator: 'tcg', limit: 2 });
    assert.equal(status, null);
  } finally {
    await rm(folder, { recursive: true });
  }
});
