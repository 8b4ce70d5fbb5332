import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { canBoot, findAccelerator, isUsable } from './accelerator.ts';
import { bootSector, runBootSector } from './boot-sector.ts';

const hasKvm = await isUsable('/dev/kvm');
const silent = { info() {}, warn() {}, error() {} };

describe('accelerator', () => {
  let cache: string;
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'walt-accelerator-'));
  });
  afterEach(() => rm(cache, { recursive: true }));
  const file = () => join(cache, 'accelerator.json');

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
    assert.equal(await findAccelerator({ cache }, silent), works ? 'kvm' : 'tcg');
  });

  it('remembers the answer for this boot of this machine only', {
    skip: hasKvm ? false : 'no /dev/kvm: the answer is known',
  }, async () => {
    let probes = 0;
    const find = (works: boolean) =>
      findAccelerator({ cache }, silent, async () => {
        probes += 1;
        return works;
      });
    assert.deepEqual([await find(true), await find(false), probes], ['kvm', 'kvm', 1]);
    for (const stale of ['{"machine":"Linux 1.0","accelerator":"kvm"}', 'half a fi']) {
      await writeFile(file(), stale);
      assert.deepEqual([await find(false), await find(true)], ['tcg', 'tcg']);
    }
    assert.equal(probes, 3);
  });
});
