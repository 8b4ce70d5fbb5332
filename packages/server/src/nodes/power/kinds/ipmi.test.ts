import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { on, once } from 'node:events';
import { watch } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { PowerConfigOf } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { ipmi } from './ipmi.ts';

const node = { name: 'pc1' } as NodeRow;
const place = { server: '127.0.0.1', broadcast: '127.0.0.1', onHost: (argv: readonly string[]) => [...argv] };

/** A BMC whose machine is a file. */
class Simulator {
  readonly folder: string;
  readonly port: number;
  readonly #program: ChildProcess;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
    const argv = [
      '-n',
      '-c',
      join(folder, 'lan.conf'),
      '-f',
      join(folder, 'commands'),
      '-s',
      join(folder, 'state'),
    ];
    this.#program = spawn('ipmi_sim', argv, { stdio: 'ignore' });
  }

  static async start(): Promise<Simulator> {
    const folder = await mkdtemp(join(tmpdir(), 'walt-ipmi-'));
    const port = await freePort();
    await mkdir(join(folder, 'state'));
    // What ipmi_sim calls to look at the machine, and to change it: `get power`, `set power 0`, several at a time.
    const chassis = `#!/bin/sh
echo "$*" >> ${folder}/log
while [ $# -gt 0 ]; do
  case "$1 $2" in
    'get power') echo "power:$(cat ${folder}/power)"; shift 2 ;;
    'set power') echo "$3" > ${folder}/power; shift 3 ;;
    get*) echo "$2:0"; shift 2 ;;
    *) shift 3 ;;
  esac
done
`;
    await writeFile(join(folder, 'chassis'), chassis, { mode: 0o755 });
    await writeFile(
      join(folder, 'lan.conf'),
      `name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_user md5
    allowed_auths_operator md5
    allowed_auths_admin md5
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${folder}/chassis"
  user 2 true "walt" "a-word" admin 10 md5
  user 3 true "guest" "a-word" user 10 md5
`,
    );
    await writeFile(
      join(folder, 'commands'),
      'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n',
    );
    const simulator = new Simulator(folder, port);
    await once(simulator.#program, 'spawn');
    return simulator;
  }

  async power(value?: 0 | 1): Promise<string> {
    const file = join(this.folder, 'power');
    if (value !== undefined) await writeFile(file, `${value}\n`);
    return (await readFile(file, 'utf8')).trim();
  }

  /** What was done to the machine since the last `forget`. */
  async done(): Promise<string[]> {
    const lines = (await readFile(join(this.folder, 'log'), 'utf8')).split('\n');
    return lines.filter((line) => line.startsWith('set '));
  }

  /** The same, once that has been done, too. */
  async doneTo(last: string): Promise<string[]> {
    const watcher = watch(this.folder);
    try {
      const changes = on(watcher, 'change', { signal: AbortSignal.timeout(60_000) });
      for (;;) {
        const done = await this.done();
        if (done.includes(last)) return done;
        await changes.next();
      }
    } finally {
      watcher.close();
    }
  }

  async forget(): Promise<void> {
    await writeFile(join(this.folder, 'log'), '');
  }

  async stop(): Promise<void> {
    this.#program.kill('SIGKILL');
    if (this.#program.exitCode === null && this.#program.signalCode === null)
      await once(this.#program, 'exit');
    await rm(this.folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

describe('IPMI, against ipmi_sim', () => {
  let bmc: Simulator;
  let config: PowerConfigOf<'ipmi'>;
  const source = (change: Partial<PowerConfigOf<'ipmi'>> = {}) =>
    ipmi('bmc-1', { ...config, ...change }, place);

  before(async () => {
    bmc = await Simulator.start();
    const passwordFile = join(bmc.folder, 'password');
    await writeFile(passwordFile, 'a-word\n', { mode: 0o600 });
    config = {
      ...{ kind: 'ipmi', host: '127.0.0.1', port: bmc.port, user: 'walt', passwordFile },
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
      [{ port: await freePort() }, /bmc-1 does not answer at 127\.0\.0\.1\./, /cable/],
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
