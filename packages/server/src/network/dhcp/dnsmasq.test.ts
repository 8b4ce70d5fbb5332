import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Bridge } from '../bridge.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { Dnsmasq } from './dnsmasq.ts';

const subnet = parseSubnet('10.99.0.0/24');
const MAC = '52:54:00:00:00:01';

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs } = testPlatform(state);
  let bridge: Bridge;
  let dnsmasq: Dnsmasq;
  const open = () => Dnsmasq.open({ subnet, bridge: 'walt0', paths, programs, alone: true });

  before(async () => {
    bridge = await Bridge.open('walt0', subnet);
    dnsmasq = await open();
  });
  after(async () => {
    await programs.stop('dnsmasq');
    programs.close();
  });

  const resolve = async (name: string) => {
    const resolver = new Resolver({ timeout: 2_000, tries: 5 });
    resolver.setServers([subnet.server]);
    return resolver.resolve4(name).catch((error) => error.code as string);
  };
  /** What a DHCP client with these options is told, by the names that udhcpc gives to its script. */
  const request = async (machine: Machine, ...options: string[]): Promise<Record<string, string>> => {
    const script = join(state, 'udhcpc-script');
    await writeFile(script, '#!/bin/sh\n[ "$1" = bound ] && env || true\n');
    await chmod(script, 0o755);
    const client = [
      'busybox',
      'udhcpc',
      '-i',
      'eth0',
      '-f',
      '-n',
      '-q',
      '-t',
      '30',
      '-s',
      script,
      ...options,
    ];
    const { status, output } = await machine.attempt(...client);
    assert.equal(status, 0, output);
    return Object.fromEntries(
      output.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]),
    );
  };

  it('gives a known machine its address, an unknown one a lent one, and never lets it choose a name', async () => {
    await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.7', name: 'vnode1' }]);
    const [known, unknown] = [
      await Machine.plug(1, 'walt0', { mac: MAC }),
      await Machine.plug(2, 'walt0', { mac: '52:54:00:00:00:02' }),
    ];
    try {
      const answer = await request(known, '-x', 'hostname:server');
      assert.equal(answer.ip, '10.99.0.7');
      assert.equal(answer.domain, 'walt');
      assert.equal(answer.dns, subnet.server);
      assert.equal(answer.router, undefined);
      const lent = await request(unknown, '-x', 'hostname:intruder');
      assert.equal(lent.router, undefined);
      await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.7', name: 'vnode1', nat: true }]);
      assert.equal((await request(known)).router, subnet.server);
      assert.equal((await request(unknown)).router, undefined);
      assert.match(lent.ip ?? '', /^10\.99\.0\.(12[89]|1[3-9]\d|2\d\d)$/);
      assert.deepEqual(await resolve('server.walt'), [subnet.server]);
      assert.equal(await resolve('intruder.walt'), 'ENOTFOUND');
      const leases = await dnsmasq.leases();
      assert.deepEqual(leases.map(({ mac, hostname }) => [mac, hostname]).sort(), [
        [MAC, null],
        ['52:54:00:00:00:02', null],
      ]);
    } finally {
      await known.unplug();
      await unknown.unplug();
    }
  });

  it('forgets an old name and address at once, though their lease still runs', async () => {
    const machine = await Machine.plug(1, 'walt0', { mac: MAC });
    try {
      await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.8', name: 'before' }]);
      assert.equal((await request(machine)).ip, '10.99.0.8');
      assert.deepEqual(await resolve('before.walt'), ['10.99.0.8']);
      await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.9', name: 'after' }]);
      assert.equal(await resolve('before.walt'), 'ENOTFOUND');
      assert.equal(await resolve('before'), 'ENOTFOUND');
      assert.deepEqual(await resolve('after.walt'), ['10.99.0.9']);
      assert.equal((await request(machine)).ip, '10.99.0.9');
      await dnsmasq.setHosts([]);
      assert.equal(await resolve('after.walt'), 'ENOTFOUND');
      assert.ok(!(await dnsmasq.leases()).some(({ mac }) => mac === MAC));
      const heir = { mac: '52:54:00:00:00:09', ip: '10.99.0.9', name: 'heir' };
      await dnsmasq.setHosts([heir]);
      const other = await Machine.plug(2, 'walt0', { mac: heir.mac });
      try {
        assert.equal((await request(other)).ip, heir.ip);
      } finally {
        await other.unplug();
      }
    } finally {
      await machine.unplug();
    }
  });

  it('takes over hundreds of nodes, and changes that come together', async () => {
    const hosts = Array.from({ length: 120 }, (_, index) => ({
      mac: `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`,
      ip: `10.99.0.${index + 2}`,
      name: `many${index}`,
    }));
    const sets = [10, 50, 120].map((count) => dnsmasq.setHosts(hosts.slice(0, count)));
    await Promise.all(sets);
    assert.deepEqual(await resolve('many119.walt'), ['10.99.0.121']);
  });

  describe('offers each kind of firmware its loader', () => {
    let machine: Machine;
    before(async () => {
      machine = await Machine.plug(1, 'walt0', { mac: MAC });
    });
    after(() => machine.unplug());
    const http = (file: string) => `http://${subnet.server}/${file}`;
    const rows: [what: string, class_: string, architecture: number | undefined, file: string | undefined][] =
      [
        ['BIOS', 'PXEClient:Arch:00000:UNDI:002001', 0, 'undionly.kpxe'],
        ['UEFI', 'PXEClient:Arch:00007:UNDI:003016', 7, 'snponly.efi'],
        ['UEFI, by its other number', 'PXEClient:Arch:00009:UNDI:003016', 9, 'snponly.efi'],
        ['UEFI of ARM', 'PXEClient:Arch:00011:UNDI:003000', 11, 'grubnetaa64.efi'],
        ['UEFI by HTTP', 'HTTPClient:Arch:00016:UNDI:003001', 16, http('snponly.efi')],
        ['UEFI of ARM by HTTP', 'HTTPClient:Arch:00019:UNDI:003000', 19, http('grubnetaa64.efi')],
        // No loader of Debian runs there.
        ['32-bit UEFI', 'PXEClient:Arch:00006:UNDI:003016', 6, undefined],
        ['32-bit UEFI by HTTP', 'HTTPClient:Arch:00015:UNDI:003001', 15, undefined],
        ['an unheard-of CPU', 'PXEClient:Arch:65535', 65_535, undefined],
        ['a class without a number', 'PXEClient', undefined, undefined],
        ['a class that is nonsense', '\x1b[2J\n%s', 7, 'snponly.efi'],
        ['U-Boot', 'U-Boot.armv8', undefined, 'boot.scr.uimg'],
        ['a board set up for WalT', 'walt.node.rpi-3-b', undefined, 'boot.scr.uimg'],
      ];
    for (const [what, class_, architecture, file] of rows) {
      it(what, async () => {
        const number = architecture?.toString(16).padStart(4, '0');
        const options = ['-V', class_, ...(number === undefined ? [] : ['-x', `0x5d:${number}`])];
        const answer = await request(machine, ...options);
        assert.equal(answer.boot_file, file);
      });
    }
    it('the text that it looks for to a Raspberry Pi, and to no PC that calls itself the same', async () => {
      const text = Buffer.from('Raspberry Pi Boot').toString('hex');
      const asking = ['-V', 'PXEClient:Arch:00000:UNDI:002001', '-x', '0x5d:0000', '-O', '43', '-O', '60'];
      const pc = await request(machine, ...asking);
      assert.ok(!JSON.stringify(pc).includes(text));
      const board = await Machine.plug(3, 'walt0', { mac: 'dc:a6:32:00:00:01' });
      try {
        // PXE's options in option 43: discovery is off, no prompt, and a menu.
        assert.equal((await request(board, ...asking)).opt43, `0601030a04005058450914000011${text}ff`);
        assert.ok(!JSON.stringify(await request(board, '-V', 'U-Boot.armv8', '-O', '43')).includes(text));
      } finally {
        await board.unplug();
      }
    });
    it('nothing to who is no firmware', async () => {
      assert.equal((await request(machine)).boot_file, undefined);
    });
    it('by HTTP, in an answer that says so of itself', async () => {
      const vendor = async (architecture: string) =>
        (await request(machine, '-O', 'vendor', '-x', `0x5d:${architecture}`)).vendor;
      assert.deepEqual([await vendor('0010'), await vendor('0007')], ['HTTPClient', undefined]);
    });
  });

  it('is back after kill -9, with its hosts and leases', async () => {
    await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.7', name: 'vnode1' }]);
    const machine = await Machine.plug(1, 'walt0', { mac: MAC });
    try {
      await request(machine);
      const leases = await dnsmasq.leases();
      programs.signal('dnsmasq', 'SIGKILL');
      while (!Array.isArray(await resolve('vnode1.walt'))) await delay(20);
      assert.deepEqual(await dnsmasq.leases(), leases);
      assert.equal((await request(machine)).ip, '10.99.0.7');
      // A change right after a kill waits for the restart.
      programs.signal('dnsmasq', 'SIGKILL');
      await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.7', name: 'vnode2' }]);
      assert.deepEqual(await resolve('vnode2.walt'), ['10.99.0.7']);
    } finally {
      await machine.unplug();
    }
  });

  it('sends a real iPXE to the boot script, with what the machine says of itself', async () => {
    await dnsmasq.setHosts([{ mac: MAC, ip: '10.99.0.7', name: 'vnode1' }]);
    await bridge.ensureTap('vm1', { mac: MAC, ip: '10.99.0.7' });
    const fetched = Promise.withResolvers<{ from: string | undefined; url: string | undefined }>();
    const http = createServer((request, response) => {
      fetched.resolve({ from: request.socket.remoteAddress, url: request.url });
      response.end('#!ipxe\nshell\n');
    });
    await new Promise<void>((listening) => http.listen(80, subnet.server, listening));
    const machine = ['-accel', 'tcg', '-m', '128', '-display', 'none', '-nodefaults', '-no-user-config'];
    const network = ['-netdev', 'tap,id=n,ifname=vm1,script=no,downscript=no'];
    const card = ['-device', `virtio-net-pci,netdev=n,mac=${MAC}`];
    const product = ['-smbios', 'type=1,manufacturer=A/B (C) 50%?,product=Big Board #2'];
    const qemu = spawn('qemu-system-x86_64', [...machine, ...network, ...card, ...product], {
      stdio: 'inherit',
    });
    const ended = new Promise((resolve) => qemu.once('exit', resolve));
    try {
      const { from, url } = await fetched.promise;
      assert.equal(from, '10.99.0.7');
      const { pathname, searchParams } = new URL(url ?? '', 'http://server');
      assert.equal(pathname, '/boot/ipxe');
      assert.deepEqual(Object.fromEntries(searchParams), {
        mac: MAC,
        product: 'Big Board #2',
        manufacturer: 'A/B (C) 50%?',
        arch: 'i386',
      });
    } finally {
      qemu.kill('SIGKILL');
      await ended;
      http.closeAllConnections();
      http.close();
      await bridge.removeTap('vm1');
    }
  });
});
