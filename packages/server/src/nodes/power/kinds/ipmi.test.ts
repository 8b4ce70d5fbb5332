import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BMC_USER } from '../../../../test/bmc.ts';
import { freeUdpPort, PlayedIpmi } from '../../../../test/ipmi.ts';
import { attempt, type PowerConfigOf } from '../../../platform/index.ts';
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
    // A console is refused by the same words; ipmi_sim gives it to guests, too.
    const asked = (user: string | undefined) =>
      user === 'guest' ? (['on'] as const) : (['on', 'console'] as const);
    // Each takes seconds, in which ipmitool tries again.
    await Promise.all(
      cases.flatMap(([change, message, hint]) =>
        asked(change.user).map((what) =>
          assert.rejects(async () => source(change)[what]?.(node), { code: 'EXTERNAL', message, hint }),
        ),
      ),
    );
    assert.deepEqual(await bmc.done(), []);
  });

  test('gives the serial console, both ways, as it was typed, and takes it from whoever has it', async () => {
    // A program that had it, and could not say that it left.
    const { port, passwordFile } = bmc;
    const argv = ['-I', 'lanplus', '-H', '127.0.0.1', '-p', String(port), '-U', BMC_USER, '-f', passwordFile];
    const words = ['-oL', 'ipmitool', ...argv, '-C', '3', 'sol', 'activate'];
    const left = spawn('stdbuf', words, { stdio: ['pipe', 'pipe', 'ignore'] });
    const exit = once(left, 'exit');
    assert.match(String(await Promise.race([once(left.stdout, 'data'), exit])), /operational/);
    left.kill('SIGKILL');
    await exit;

    const before = bmc.typed.length;
    const typed = '~.\r~.\n~~?\r~B~a\u00e4\r\n~\x03';
    const line = await source().console?.(node);
    assert.ok(line);
    line.write(typed.slice(0, 4));
    line.write(typed.slice(4));
    let printed = '';
    for await (const chunk of line.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      printed += chunk;
      if (printed.includes('\x03]')) break;
    }
    assert.equal(bmc.typed.slice(before), typed);
    // The controller is free when it is closed: the next one need not take it away.
    line.destroy();
    await once(line, 'close');
    const { stderr } = await attempt(['ipmitool', ...argv, '-C', '3', 'sol', 'deactivate'], {});
    assert.match(stderr, /already de-activated/);
  });

  test('a controller without one says so', async () => {
    const other = await PlayedIpmi.start({ console: false });
    try {
      const { port, passwordFile } = other;
      const open = ipmi('bmc-2', { ...config, port, passwordFile }, place).console;
      await assert.rejects(async () => open?.(node), { code: 'EXTERNAL', message: /bmc-2 .*console/ });
    } finally {
      await other.stop();
    }
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
