import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { adapterOn, type Host, machineFiles, qemuArguments, type VirtualMachine } from './machine.ts';

const paths = { virtual: '/state/virtual', virtualRun: '/run/virtual' };
const vm: VirtualMachine = {
  id: 7,
  model: 'pc-x86-64',
  mac: '52:54:00:00:00:07',
  tap: 'vm7',
  cpuCores: 2,
  ramMiB: 1024,
  disks: [],
  networks: [{ name: 'walt-net' }],
  place: { features: [] },
  logsConsole: false,
};
const host: Host = { accelerator: 'tcg', vhostNet: false, userIds: 2 ** 32 - 1 };

/** Value of an option that stands once on the command line. */
function option(argv: readonly string[], name: string): string {
  assert.equal(argv.filter((word) => word === name).length, 1, `one ${name}`);
  return argv[argv.indexOf(name) + 1] ?? '';
}

describe('qemuArguments', () => {
  const table: [string, Partial<VirtualMachine>, Partial<Host>, string, string][] = [
    ['TCG', {}, {}, '-accel', 'tcg,thread=multi,tb-size=256'],
    ['KVM', {}, { accelerator: 'kvm' }, '-accel', 'kvm'],
    ['no copies byte by byte under TCG', {}, {}, '-cpu', 'max,la57=off,erms=off'],
    ['the whole CPU under KVM', {}, { accelerator: 'kvm' }, '-cpu', 'max,la57=off'],
    ['processors', { cpuCores: 8 }, {}, '-smp', 'cpus=8'],
    ['memory', { ramMiB: 512 }, {}, '-m', 'size=512M'],
    ['its tap', { tap: 'vm9' }, {}, '-netdev', 'tap,id=net,ifname=vm9,script=no,downscript=no'],
    ['vhost', {}, { vhostNet: true }, '-netdev', 'tap,id=net,ifname=vm7,script=no,downscript=no,vhost=on'],
    ['a user of its own', {}, {}, '-runas', '1879048199:1879048199'],
    ['the shared user', {}, { userIds: 65_536 }, '-runas', '65530:65530'],
    [
      ...(['what images made for WalT know', {}, {}, '-smbios'] as const),
      'type=1,manufacturer=QEMU,product=Standard PC (i440FX + PIIX,, 1996),serial=7',
    ],
    ['no way to leave', {}, {}, '-sandbox', 'on,obsolete=deny,spawn=deny,resourcecontrol=deny'],
    ['no boot menu, and another try', {}, {}, '-boot', 'menu=off,strict=on,reboot-timeout=1000'],
    ['the key that ends iPXE’s wait', {}, {}, '-option-rom', '/state/virtual/enter-key.rom'],
  ];
  for (const [title, vmPart, hostPart, name, value] of table) {
    it(`gives it ${title}: ${name} ${value}`, () => {
      assert.equal(option(qemuArguments({ ...vm, ...vmPart }, { ...host, ...hostPart }, paths), name), value);
    });
  }

  const boards: [VirtualMachine['model'], string, string, string][] = [
    ['qemu-arm64', '/usr/bin/qemu-system-aarch64', '-machine', 'virt,gic-version=3'],
    ['qemu-armhf', '/usr/bin/qemu-system-arm', '-machine', 'virt,highmem=off'],
    ['qemu-arm64', '/usr/bin/qemu-system-aarch64', '-bios', '/usr/lib/u-boot/qemu_arm64/u-boot.bin'],
    [
      ...(['qemu-armhf', '/usr/bin/qemu-system-arm', '-drive'] as const),
      'if=pflash,unit=1,format=raw,readonly=on,file=/state/virtual/qemu-armhf.environment',
    ],
    ['qemu-arm64', '/usr/bin/qemu-system-aarch64', '-accel', 'tcg,thread=multi,tb-size=256'],
  ];
  for (const [model, emulator, name, value] of boards) {
    it(`makes a ${model} of ${emulator} ${name} ${value}, whatever the server's own CPU can`, () => {
      const argv = qemuArguments({ ...vm, model }, { ...host, accelerator: 'kvm' }, paths);
      assert.equal(argv[0], emulator);
      assert.equal(option(argv, name), value);
      assert.ok(argv.includes('virtio-net-device,netdev=net,mac=52:54:00:00:00:07,bootindex=0'));
    });
  }

  it('has its disks in the order in which they were given, and none to boot from', () => {
    const disks = [
      { size: 1e9, template: 'ext4' },
      { size: 2e9, template: 'none' },
    ] as const;
    const wanted = (bus: string) => [
      ...['-drive', 'if=none,id=disk1,format=raw,discard=unmap,file=/a,,b/7/disk1.ext4.img'],
      ...['-device', `virtio-blk-${bus},drive=disk1,serial=disk1,werror=report,rerror=report`],
      ...['-drive', 'if=none,id=disk2,format=raw,discard=unmap,file=/a,,b/7/disk2.none.img'],
      ...['-device', `virtio-blk-${bus},drive=disk2,serial=disk2,werror=report,rerror=report`],
    ];
    for (const [model, bus] of [
      ['pc-x86-64', 'pci'],
      ['qemu-arm64', 'device'],
    ] as const) {
      const argv = qemuArguments({ ...vm, model, disks }, host, { ...paths, virtual: '/a,b' });
      const first = argv.findIndex((word) => word.includes('id=disk1')) - 1;
      assert.deepEqual(argv.slice(first, first + 8), wanted(bus));
    }
  });

  it('boots from the network card, with the MAC of the node', () => {
    const devices = qemuArguments(vm, host, paths).filter((word) => word.startsWith('virtio-net-pci'));
    assert.deepEqual(devices, ['virtio-net-pci,netdev=net,mac=52:54:00:00:00:07,bootindex=0']);
  });

  it('has an adapter on each network, found in their order, and boots from the first one alone', () => {
    const networks = ['walt-net', 'home-net', 'lab'].map((name) => ({ name }));
    const [home, lab] = [adapterOn(vm, 'home-net'), adapterOn(vm, 'lab')];
    const adapter = (id: string, tap: string, device: string) => [
      ...['-netdev', `tap,id=${id},ifname=${tap},script=no,downscript=no`],
      ...['-device', device],
    ];
    const found = (model: VirtualMachine['model']) => {
      const argv = qemuArguments({ ...vm, model, networks }, host, paths);
      const first = argv.indexOf('-netdev');
      return argv.slice(first, first + 12);
    };
    const first = (card: string) => adapter('net', 'vm7', `${card},netdev=net,mac=${vm.mac},bootindex=0`);
    assert.deepEqual(found('pc-x86-64'), [
      ...first('virtio-net-pci'),
      ...adapter('net1', home.tap, `virtio-net-pci,romfile=,netdev=net1,mac=${home.mac}`),
      ...adapter('net2', lab.tap, `virtio-net-pci,romfile=,netdev=net2,mac=${lab.mac}`),
    ]);
    // These find the last one first.
    assert.deepEqual(found('qemu-arm64'), [
      ...adapter('net2', lab.tap, `virtio-net-device,netdev=net2,mac=${lab.mac}`),
      ...adapter('net1', home.tap, `virtio-net-device,netdev=net1,mac=${home.mac}`),
      ...first('virtio-net-device'),
    ]);
  });

  it('gives an adapter names that stay, and fit', () => {
    const { tap, mac } = adapterOn(vm, 'home-net');
    assert.match(tap, /^vm7\.[0-9a-f]{6}$/);
    assert.match(mac, /^06(?::[0-9a-f]{2}){5}$/);
    assert.notDeepEqual(adapterOn({ ...vm, id: 8, mac: '52:54:00:00:00:08' }, 'home-net'), { tap, mac });
    assert.equal(adapterOn({ ...vm, id: 12_345_678 }, 'home-net').tap.length, 15);
  });

  it('keeps the history of the console, with a comma in a path taken as such', () => {
    const argv = qemuArguments(vm, host, { virtual: '/a,b', virtualRun: '/r' });
    assert.ok(
      argv.includes(
        'socket,id=console,path=/r/7/console.sock,server=on,wait=off,logfile=/a,,b/7/console.log,logappend=on',
      ),
    );
  });

  it('gives a UUID that depends on the MAC alone', () => {
    const uuid = option(qemuArguments(vm, host, paths), '-uuid');
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(option(qemuArguments({ ...vm, ramMiB: 256 }, host, paths), '-uuid'), uuid);
    assert.notEqual(option(qemuArguments({ ...vm, mac: '52:54:00:00:00:08' }, host, paths), '-uuid'), uuid);
  });

  it('refuses what is no node id', () => {
    for (const id of [-1, 1.5, Number.NaN]) assert.throws(() => machineFiles(id, paths), RangeError);
  });
});
