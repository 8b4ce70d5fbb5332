import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { hostname, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isExternalError, type ProgramSpec, Programs, run } from '../../platform/index.ts';
import { capConsoleLog, olderConsoleLog } from '../consoles/console-log.ts';
import type { Machine } from '../virtual/index.ts';
import { LocalEngine } from './local.ts';
import { idsIn } from './user-ids.ts';
import { TestNet } from './walt-net.fixture.ts';

const at = (machine: Machine) => ({ machine, ip: `192.0.2.1${machine.id}` });
const silent = { info() {}, warn() {}, error() {} };
const vm: Machine = {
  id: 7,
  model: 'pc-x86-64',
  mac: '52:54:00:00:00:07',
  cpuCores: 1,
  ramMiB: 128,
  disks: [],
  networks: [{ name: 'walt-net' }],
  place: { features: [] },
  logsConsole: false,
};

async function until(what: string, condition: () => Promise<boolean> | boolean, limit = 300_000) {
  const deadline = Date.now() + limit;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `${what}, within ${limit} ms`);
    await delay(20);
  }
}

describe('LocalEngine', () => {
  let netFolder: string;
  let net: TestNet;
  before(async () => {
    netFolder = await mkdtemp(join(tmpdir(), 'walt-vm-net-'));
    net = await TestNet.make(netFolder, ['vm7', 'vm8', 'vm9']);
  });
  after(async () => {
    await net.remove();
    await rm(netFolder, { recursive: true });
  });

  let folder: string;
  let programs: Programs;
  let machines: LocalEngine;
  /** Lines of consoles. */
  const kept: string[] = [];
  /** A server of its own: supervision and machines over the same folders. */
  const open = async () => {
    const opened = new Programs({ logs: join(folder, 'logs'), programs: join(folder, 'programs') }, silent);
    const inside = (spec: ProgramSpec) => ({ ...spec, argv: net.inside(spec.argv) });
    const paths = { virtual: join(folder, 'virtual'), virtualRun: join(folder, 'run') };
    return {
      programs: opened,
      machines: await LocalEngine.open({
        programs: {
          ensure: (spec) => opened.ensure(inside(spec)),
          stop: (name) => opened.stop(name),
          instances: (among) => opened.instances(among),
        },
        // The taps are there.
        network: {
          ensureTap: async () => {},
          removeTap: async () => {},
          others: { connect: async () => {}, removeNode: async () => {} },
        },
        paths,
        accelerator: 'tcg',
        keepConsole: async ({ issuer, lines, reached }) => {
          kept.push(...lines.map((line) => `${issuer} ${line}`));
          return reached;
        },
        log: silent,
      }),
    };
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-vm-'));
    ({ programs, machines } = await open());
  });
  afterEach(async () => {
    for (const name of await programs.recorded()) await programs.stop(name);
    programs.close();
    machines.close();
    await rm(folder, { recursive: true });
  });

  const pid = () => {
    const found = programs.status().find(({ name }) => name === 'vm-7')?.pid;
    assert.ok(found, 'vm-7 runs');
    return found;
  };
  const commandLine = async () => (await readFile(`/proc/${pid()}/cmdline`, 'utf8')).split('\0');
  /** Does something that makes the machine boot, and resolves once it has an address. */
  const boots = async (what: string, action: () => Promise<unknown>) => {
    const earlier = await net.addressesGiven(vm.mac);
    await action();
    await until(`${what} leads to a boot`, async () => (await net.addressesGiven(vm.mac)) > earlier);
  };

  it('boots from the network, with its words on the console and in its history', async () => {
    await machines.start(at({ ...vm, logsConsole: true }));
    const console = createConnection(machines.consolePath(7));
    try {
      await once(console, 'connect');
      let heard = '';
      console.setEncoding('latin1').on('data', (text) => {
        heard += text;
      });
      await until('a client of the console hears iPXE', () => heard.includes('52:54:00:00:00:07'));
    } finally {
      console.destroy();
    }
    assert.deepEqual([...(await machines.running()).keys()], [7]);
    await until('its lines are kept', () =>
      kept.some(
        (line) => line.startsWith('192.0.2.17 ') && line.includes('Open Source Network Boot Firmware'),
      ),
    );
    assert.match(await readFile(machines.consoleLog(7), 'utf8'), /Open Source Network Boot Firmware/);
  });

  it('boots boards from the network by U-Boot, with their own MACs, again and again until there is a script', async () => {
    const boards: Machine[] = [
      { ...vm, id: 8, model: 'qemu-arm64', mac: '52:54:00:00:00:08' },
      { ...vm, id: 9, model: 'qemu-armhf', mac: '52:54:00:00:00:09' },
    ];
    // Each waits most of the time.
    await Promise.all(
      boards.map(async (board) => {
        await machines.start(at(board));
        const twice = async () => (await net.addressesGiven(board.mac)) >= 2;
        await until(`two boots of ${board.model}`, twice, 600_000);
        const history = await readFile(machines.consoleLog(board.id), 'utf8');
        assert.match(history, /U-Boot .*WalT: no boot script/s);
      }),
    );
  });

  it('refuses machines that are larger than their model can be', async () => {
    await machines.require({ ...vm, model: 'qemu-armhf', cpuCores: 8, ramMiB: 3072 });
    for (const size of [
      { cpuCores: 9, ramMiB: 512 },
      { cpuCores: 1, ramMiB: 3073 },
    ]) {
      await assert.rejects(machines.require({ ...vm, model: 'qemu-armhf', ...size }), { code: 'INVALID' });
      await machines.require({ ...vm, model: 'qemu-arm64', ...size });
    }
  });

  it('refuses machines with more memory than the server has', async () => {
    const memory = Math.floor(totalmem() / 1024 ** 2);
    await machines.require({ ...vm, ramMiB: memory });
    await assert.rejects(machines.require({ ...vm, ramMiB: memory + 1 }), {
      code: 'INVALID',
      message: `This server has ${memory} MiB of memory: no virtual node can have ${memory + 1} MiB.`,
    });
  });

  it('refuses machines that are to be on another host, or on one that has something', async () => {
    await machines.require({ ...vm, place: { host: hostname(), features: [] } });
    for (const place of [{ host: 'elsewhere', features: [] }, { features: ['kvm'] }]) {
      await assert.rejects(machines.require({ ...vm, place }), {
        code: 'INVALID',
        message: `This platform has one host, the server itself, which is called ${hostname()}.`,
      });
    }
  });

  it('has no rights on the server', async () => {
    await machines.start(at(vm));
    const status = await readFile(`/proc/${pid()}/status`, 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
    assert.doesNotMatch(`${field('Uid')} ${field('Gid')} ${field('Groups')}`, /\b0\b/);
    assert.match(field('CapEff') ?? '', /^0+$/);
    assert.equal(field('NoNewPrivs'), '1');
    assert.equal(field('Seccomp'), '2');
    assert.equal((await stat(join(folder, 'run'))).mode & 0o777, 0o700);
  });

  it('is a new QEMU after a reset', async () => {
    await boots('a start', () => machines.start(at(vm)));
    const before = pid();
    const cycle = (await machines.running([vm.id])).get(vm.id);
    assert.ok(cycle);
    assert.equal((await machines.running([vm.id])).get(vm.id), cycle);
    await boots('a reset', () => machines.reset(at(vm)));
    assert.notEqual(pid(), before);
    assert.notEqual((await machines.running([vm.id])).get(vm.id), cycle);
    await machines.stop(vm.id);
    assert.equal((await machines.running([vm.id])).get(vm.id), undefined);
  });

  it('is a new QEMU after a reboot of its own', async () => {
    await machines.start(at(vm));
    const before = pid();
    // There is nothing that it could load from this network: its BIOS reboots.
    await until('a new QEMU', () => {
      const now = programs.status().find(({ name }) => name === 'vm-7')?.pid;
      return typeof now === 'number' && now !== before;
    }); // iPXE alone is patient for 20 s
  });

  it('leaves a running machine alone when its definition changes, and brings the change with a reset', async () => {
    await machines.start(at(vm));
    const before = pid();
    await machines.start(at({ ...vm, ramMiB: 192 }));
    assert.equal(pid(), before);
    await boots('a reset', () => machines.reset(at({ ...vm, ramMiB: 192 })));
    assert.notEqual(pid(), before);
    assert.ok((await commandLine()).includes('size=192M'));
  });

  it('has disks that QEMU opens, which go when they are no longer wanted', async () => {
    const disks = [
      { size: 1e9, template: 'ext4' },
      { size: 2e9, template: 'none' },
    ] as const;
    const names = async () =>
      (await readdir(join(folder, 'virtual', '7'))).filter((name) => name.startsWith('disk'));
    await machines.start(at({ ...vm, disks }));
    assert.deepEqual((await names()).sort(), ['disk1.ext4.img', 'disk2.none.img']);
    const open = async () => (await run(['ls', '-l', `/proc/${pid()}/fd`])).match(/disk\d/g)?.sort();
    assert.deepEqual(await open(), ['disk1', 'disk2']);
    assert.equal(
      (await machines.diskUse(7, [{ size: 2e9, template: 'none' }]))[0],
      null,
      'it is another one',
    );
    // At the same time, as a change and an order to reboot may come.
    await Promise.all([
      machines.reset(at({ ...vm, disks: [...disks, disks[1]] })),
      machines.start(at({ ...vm, disks })),
    ]);
    assert.deepEqual((await names()).sort(), ['disk1.ext4.img', 'disk2.none.img']);
    await machines.start(at(vm));
    assert.deepEqual(await names(), []);
    await machines.reset(at(vm));
    assert.equal(await open(), undefined);
  });

  it('replaces a QEMU that does not answer', async () => {
    await machines.start(at(vm));
    const before = pid();
    process.kill(before, 'SIGSTOP');
    await boots('a reset', () => machines.reset(at(vm)));
    assert.notEqual(pid(), before);
  });

  it('is started again when it is killed', async () => {
    await boots('a start', () => machines.start(at(vm)));
    const before = pid();
    await boots('kill -9', async () => process.kill(before, 'SIGKILL'));
    assert.notEqual(pid(), before);
  });

  it('outlives its server, and the next one can reset it', async () => {
    await machines.start(at(vm));
    const before = pid();
    programs.close();
    machines.close();
    ({ programs, machines } = await open());
    assert.deepEqual([...(await machines.running()).keys()], [7]);
    await machines.start(at(vm));
    assert.equal(pid(), before);
    await boots('a reset', () => machines.reset(at(vm)));
  });

  it('stays off once stopped, and boots again after a start', async () => {
    await machines.start(at(vm));
    await machines.stop(7);
    assert.deepEqual([...(await machines.running()).keys()], []);
    await boots('a start', () => machines.start(at(vm)));
  });

  it('leaves nothing behind when removed', async () => {
    await machines.start(at(vm));
    await machines.remove(7);
    await machines.remove(7);
    assert.deepEqual([...(await machines.running()).keys()], []);
    assert.deepEqual(await readdir(join(folder, 'run')), []);
    const shared = ['enter-key.rom', 'qemu-arm64.environment', 'qemu-armhf.environment'];
    assert.deepEqual((await readdir(join(folder, 'virtual'))).sort(), shared);
  });

  it('says why when QEMU does not start', async () => {
    await assert.rejects(
      machines.start(at({ ...vm, mac: 'no-mac' })),
      (error) => isExternalError(error) && /no-mac|mac/.test(error.output),
    );
    assert.deepEqual([...(await machines.running()).keys()], []);
  });

  it('bounds the history of a console under a running QEMU', async () => {
    await boots('a start', () => machines.start(at(vm)));
    const log = machines.consoleLog(7);
    assert.equal(await capConsoleLog(log, 1_000_000), false);
    const { size } = await stat(log);
    assert.equal(await capConsoleLog(log, 100), true);
    assert.ok((await stat(olderConsoleLog(log))).size >= size);
    await boots('a reset', () => machines.reset(at(vm)));
    const text = await readFile(log, 'utf8');
    assert.ok(text.includes('SeaBIOS'));
    assert.ok(!text.includes('\0'), 'QEMU goes on at the new end, not after a hole');
  });
});

describe('countUserIds', () => {
  for (const [title, map, count] of [
    ['the whole machine', '         0          0 4294967295\n', 4_294_967_295],
    ['an unprivileged container', '         0     100000      65536\n', 65_536],
    ['two ranges', '0 1000 1\n1 100000 65536\n', 65_537],
  ] as const) {
    it(title, () => assert.equal(idsIn(map), count));
  }
});
