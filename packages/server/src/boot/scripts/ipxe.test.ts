import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootTarget } from '../directory.ts';
import { exampleTarget } from '../example-target.ts';
import { identityFiles } from '../initramfs/identity.ts';
import { bootstrapDocument } from '../initramfs/index.ts';
import { ipxeScript } from './ipxe.ts';
import { kernelArguments } from './script-parts.ts';
import { uBootScript } from './u-boot.ts';

const retry = `echo WalT: next try in 10 seconds
sleep 10
dhcp ||
chain --replace http://10.73.0.1/boot/ipxe?mac=\${netX/mac} ||
reboot
`;

test('a boot script loads kernel and initramfs of the image', () => {
  const files = `http://10.73.0.1/boot/files/${'d'.repeat(64)}`;
  assert.equal(
    ipxeScript({ kind: 'kernel', target: exampleTarget }, exampleTarget.server),
    `#!ipxe
echo WalT: vnode1 loads its image
kernel ${files}/vmlinuz-virtual initrd=initramfs-virtual console=ttyS0,115200 cgroup.memory=nosocket no_timer_check quiet panic=10 net.ifnames=0 walt.ip=10.73.0.2/16 walt.server=10.73.0.1 walt.mac=52:54:00:00:00:07 || goto failed
initrd --name initramfs-virtual http://10.73.0.1/node/initramfs || goto failed
boot || goto failed
:failed
echo WalT: the kernel could not be loaded or started
${retry}`,
  );
});

test('a boot that is to wait says so, and waits before it loads anything', () => {
  const target = { ...exampleTarget, delay: 7 };
  const waits =
    /^(?:#!ipxe\n)?echo WalT: vnode1 waits 7 seconds \(boot\.delay\)\nsleep 7\necho WalT: vnode1 (?:loads|runs)/;
  for (const kind of ['kernel', 'script'] as const) {
    assert.match(ipxeScript({ kind, target }, target.server), waits);
    assert.match(uBootScript({ kind, target }).subarray(72).toString('latin1'), waits);
  }
});

test('a PC has a screen', () => {
  assert.match(kernelArguments({ ...exampleTarget, isVirtual: false }), /^console=tty0 /);
});

test('a machine that must wait is told why, in words that iPXE cannot take for anything else', () => {
  assert.equal(
    ipxeScript({ kind: 'wait', reason: `no image for "\${x}" && reboot ||\nshell` }, '10.73.0.1'),
    `#!ipxe\necho WalT: no image for    x      reboot    shell\n${retry}`,
  );
});

test('an unknown machine tells its CPU', () => {
  assert.equal(
    ipxeScript({ kind: 'probe' }, '10.73.0.1'),
    `#!ipxe
set walt-cpu i386
iseq \${buildarch} x86_64 && set walt-cpu x86_64 ||
cpuid --ext 29 && set walt-cpu x86_64 ||
iseq \${buildarch} arm64 && set walt-cpu arm64 ||
chain --replace http://10.73.0.1/boot/ipxe?mac=\${netX/mac}&cpu=\${walt-cpu} ||
${retry}`,
  );
});

describe('nothing is rendered from a target with', () => {
  const rows: [name: string, change: Partial<BootTarget>][] = [
    ['a name with a line end', { name: 'vnode1\nreboot' }],
    ['a name with a setting', { name: `vnode1\${x}` }],
    ['a server that is no address', { server: '10.73.0.1/../x' }],
    ['an address with a blank', { ip: '10.73.0.2 init=/bin/sh' }],
    ['a hardware address in capitals', { mac: '52:54:00:00:00:0A' }],
    ['a digest that leaves its folder', { digest: 'sha256:../../etc' }],
    ['a layer that leaves its folder', { layers: ['../../etc/shadow'] }],
    ['a token with a quote', { token: "a'b" }],
    ['a volume with a slash', { platformVolume: '../x' }],
    ['a prefix out of range', { prefix: 33 }],
  ];
  for (const [name, change] of rows) {
    test(name, () => {
      const target = { ...exampleTarget, ...change };
      const renderers = [
        (t: BootTarget) => ipxeScript({ kind: 'kernel', target: t }, t.server),
        (t: BootTarget) => ipxeScript({ kind: 'script', target: t }, t.server),
        (t: BootTarget) => uBootScript({ kind: 'kernel', target: t }),
        (t: BootTarget) => uBootScript({ kind: 'script', target: t }),
        identityFiles,
        (t: BootTarget) => bootstrapDocument(t, 0),
      ];
      for (const render of renderers) {
        assert.throws(() => render(target), { name: 'ZodError' });
      }
    });
  }
});
