import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { canBoot, findAccelerator, isUsable } from './accelerator.ts';
import { bootSector, runBootSector } from './boot-sector.ts';

const hasKvm = await isUsable('/dev/kvm');
const silent = { info() {}, warn() {}, error() {} };

describe('accelerator', () => {
  let state: string;
  beforeEach(async () => {
    state = await mkdtemp(join(tmpdir(), 'walt-accelerator-'));
  });
  afterEach(() => rm(state, { recursive: true }));
  const file = () => join(state, 'accelerator.json');

  it('the probe boots with TCG, which works everywhere', async () => {
    assert.equal(await canBoot('tcg', silent), true);
  });

  it('a guest that spins for ever is killed in time', async () => {
    const spin = bootSector([0xeb, 0xfe]); // jmp $
    assert.deepEqual(await runBootSector(spin, { accelerator: 'tcg', limit: 1 }), {
      status: null,
      output: '',
    });
  });

  it('takes KVM only where a guest really boots with it', async () => {
    const works = hasKvm && (await canBoot('kvm', silent));
    assert.equal(await findAccelerator({ state }, silent), works ? 'kvm' : 'tcg');
  });

  it('remembers the answer for this boot of this machine only', {
    skip: hasKvm ? false : 'no /dev/kvm: the answer is known',
  }, async () => {
    const found = await findAccelerator({ state }, silent);
    const { machine } = JSON.parse(await readFile(file(), 'utf8'));
    const other = found === 'kvm' ? 'tcg' : 'kvm';
    await writeFile(file(), JSON.stringify({ machine, accelerator: other }));
    assert.equal(await findAccelerator({ state }, silent), other);
    for (const stale of [JSON.stringify({ machine: 'Linux 1.0', accelerator: other }), 'half a fi']) {
      await writeFile(file(), stale);
      assert.equal(await findAccelerator({ state }, silent), found);
    }
  });
});
