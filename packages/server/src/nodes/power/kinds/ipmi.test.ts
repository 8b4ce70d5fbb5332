import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BMC_USER } from '../../../../test/bmc.ts';
import { freeUdpPort, PlayedIpmi } from '../../../../test/ipmi.ts';
import type { PowerConfigOf } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { ipmi } from './ipmi.ts';

const node = { name: 'pc1' } as NodeRow;
const place = { server: '127.0.0.1', broadcast: '127.0.0.1', onHost: (argv: readonly string[]) => [...argv] };

describe('IPMI, against ipmi_sim', () => {
  let bmc: PlayedIpmi;
  let config: PowerConfigOf<'ipmi'>;
  const source = (change: Partial<PowerConfigOf<'ipmi'>> = {}) =>
    ipmi('bmc-1', { ...config, ...change }, place);

  before(async () => {
    bmc = await PlayedIpmi.start();
    const { passwordFile } = bmc;
    config = {
      ...{ kind: 'ipmi', host: '127.0.0.1', port: bmc.port, user: BMC_USER, passwordFile },
      ...{ network: 'host', privilege: 'operator', cipherSuite: 3 },
    };
  });
  after(() => bmc.stop());
  beforeEach(() => bmc.forget());

  test('tells the state, switches on and off', async () => {
    const { state, on, off } = source();
    await bmc.power(0);
    assert.equal(await state?.(node), 'off');
    await on?.(node);
    assert.equal(await bmc.power(), '1');
    assert.equal(await state?.(node), 'on');
    await off?.(node);
    assert.deepEqual([await state?.(node), await bmc.done()], ['off', ['set power 1', 'set power 0']]);
  });

  test('a reset cuts the power and gives it back; of a machine that is off, it switches it on', async () => {
    const { reset } = source();
    await bmc.power(1);
    await reset?.(node);
    // A BMC gives the power back after a while of its own.
    assert.deepEqual(await bmc.doneTo('set power 1'), ['set power 0', 'set power 1']);
    await bmc.forget();
    await bmc.power(0);
    await reset?.(node);
    assert.deepEqual(await bmc.done(), ['set power 1']);
  });

  test('what is wrong is told by name, with the next step', async () => {
    await bmc.power(1);
    const wrong = join(bmc.folder, 'wrong');
    await writeFile(wrong, 'another', { mode: 0o600 });
    const open = join(bmc.folder, 'open');
    await writeFile(open, 'a-word');
    await chmod(open, 0o644);
    const long = join(bmc.folder, 'long');
    await writeFile(long, 'a'.repeat(21), { mode: 0o600 });
    const cases: [Partial<PowerConfigOf<'ipmi'>>, RegExp, RegExp][] = [
      [{ passwordFile: wrong }, /bmc-1 refuses the password of its user walt\./, /Correct it in .*wrong/],
      [{ user: 'nobody' }, /bmc-1 knows no user nobody\./, /power\.bmc-1\.user/],
      [
        { user: 'guest', privilege: 'user' },
        /does not let its user guest act as user/,
        /power\.bmc-1\.privilege/,
      ],
      [{ port: await freeUdpPort() }, /bmc-1 does not answer at 127\.0\.0\.1\./, /cable/],
      [{ cipherSuite: 13 }, /does not take this cipher suite/, /cipher-suite/],
      [{ passwordFile: open }, /open can be read by others/, /chmod 600/],
      [{ passwordFile: `${open}-not` }, /open-not is missing/, /chmod 600/],
      [{ passwordFile: long }, /longer than IPMI's 20 bytes/, /shorter/],
    ];
    // Each takes seconds, in which ipmitool tries again.
    await Promise.all(
      cases.map(([change, message, hint]) =>
        assert.rejects(async () => source(change).on?.(node), { code: 'EXTERNAL', message, hint }),
      ),
    );
    assert.deepEqual(await bmc.done(), []);
  });

  test('no password stands in an argument', async () => {
    let seen: readonly string[] = [];
    const onHost = (argv: readonly string[]) => {
      seen = argv;
      return [...argv];
    };
    await bmc.power(1);
    assert.equal(await ipmi('bmc-1', config, { ...place, onHost }).state?.(node), 'on');
    assert.ok(seen.length > 0 && !seen.includes('a-word'));
  });
});
