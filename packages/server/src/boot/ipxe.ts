/** iPXE scripts (https://ipxe.org/scripting): what a machine's firmware runs once it has an address. */
import { ipv4 } from '@walt/contract';
import { checkTarget } from './checked.ts';
import type { BootTarget, ModelClass } from './directory.ts';

/** Seconds that a machine waits before it asks again, when there is nothing that it can boot. */
const RETRY_PAUSE = 10;

/** Where the kernel prints, and what our init prints to. */
const CONSOLE: Record<ModelClass, string> = { virtual: 'console=ttyS0,115200', pc: 'console=tty0' };

/**
 * The kernel changes its own TCP code when the first control group with a memory limit is made, which is while systemd starts and
 * the network is busy. QEMU without KVM may go on with the old code then, and both CPUs hang for ever (seen in QEMU 7.2, in one
 * of ten boots). Sockets' memory that is not counted needs no such change.
 */
const EMULATOR_NEEDS: Record<ModelClass, string[]> = { virtual: ['cgroup.memory=nosocket'], pc: [] };

/** Path of an image's boot file on the server. */
export function bootFilePath(digest: string, name: string): string {
  return `/boot/files/${digest.slice('sha256:'.length)}/${name}`;
}

/** Kernel arguments of a node; `initrd=` names the file for a kernel that UEFI starts. */
export function kernelArguments(target: BootTarget): string {
  const { mac, ip, prefix, server, modelClass } = checkTarget(target);
  return [
    `initrd=initramfs-${modelClass}`,
    CONSOLE[modelClass],
    ...EMULATOR_NEEDS[modelClass],
    // Each line costs time on a serial line or an emulated one: only warnings, and what our init says.
    'quiet',
    // A node that cannot go on starts over: seconds.
    'panic=10',
    'net.ifnames=0',
    `walt.ip=${ip}/${prefix}`,
    `walt.server=${server}`,
    `walt.mac=${mac}`,
  ].join(' ');
}

/** Loads and starts the kernel of the node's image. */
export function bootScript(target: BootTarget): string {
  const { digest, modelClass, server, name } = checkTarget(target);
  const kernel = `http://${server}${bootFilePath(digest, 'vmlinuz')}`;
  const initramfs = `initramfs-${modelClass}`;
  return script([
    `echo WalT: ${name} loads its image`,
    `kernel ${kernel} ${kernelArguments(target)} || goto failed`,
    `initrd --name ${initramfs} http://${server}/node/initramfs || goto failed`,
    'boot || goto failed',
    ':failed',
    'echo WalT: the kernel could not be loaded or started',
    ...retry(server),
  ]);
}

/**
 * Runs the boot script that the image brings, with the variables that images made for WalT expect. What it loads by relative
 * paths comes from the server, too.
 */
export function imageScript(target: BootTarget): string {
  const { server, name, model } = checkTarget(target);
  const settings = { name, hostname: name, model, server_ip: server, 'next-server': server };
  return script([
    `echo WalT: ${name} runs the boot script of its image`,
    ...Object.entries(settings).map(([key, value]) => `set ${key} ${value}`),
    `chain http://${server}/boot/start.ipxe || goto failed`,
    ':failed',
    'echo WalT: the boot script of the image failed',
    ...retry(server),
  ]);
}

/** Says why the machine cannot boot now, and asks again after a pause. `reason` is shown without what iPXE would act on. */
export function waitScript(server: string, reason: string): string {
  return script([`echo WalT: ${reason.replace(/[^A-Za-z0-9 .,:;()/_-]/g, ' ')}`, ...retry(server)]);
}

/**
 * Asks a machine that the server does not know for its CPU: `buildarch` tells only what the loader was built for, and
 * BIOS loaders are 32-bit ones. Bit 29 of CPUID leaf 0x80000001 EDX is long mode (AMD64 manual, volume 3, appendix D).
 */
export function probeScript(server: string): string {
  return script([
    'set walt-cpu i386',
    `iseq ${field('buildarch')} x86_64 && set walt-cpu x86_64 ||`,
    'cpuid --ext 29 && set walt-cpu x86_64 ||',
    `iseq ${field('buildarch')} arm64 && set walt-cpu arm64 ||`,
    `chain --replace ${scriptUrl(server)}&cpu=${field('walt-cpu')} ||`,
    ...retry(server),
  ]);
}

/** An address may have changed since, as when a new machine got its permanent one: so it asks for that, too. */
function retry(server: string): string[] {
  return [
    `echo WalT: next try in ${RETRY_PAUSE} seconds`,
    `sleep ${RETRY_PAUSE}`,
    'dhcp ||',
    `chain --replace ${scriptUrl(server)} ||`,
    'reboot',
  ];
}

/** `netX` is the adapter that iPXE opened last: the one that it boots from. */
function scriptUrl(server: string): string {
  return `http://${ipv4.parse(server)}/boot/ipxe?mac=${field('netX/mac')}`;
}

/** A setting that iPXE fills in. */
function field(name: string): string {
  return `\${${name}}`;
}

function script(lines: string[]): string {
  return `${['#!ipxe', ...lines].join('\n')}\n`;
}
