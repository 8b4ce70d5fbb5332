/** iPXE scripts (https://ipxe.org/scripting): what a machine's firmware runs once it has an address. */
import { ipv4 } from '@walt/contract';
import { fittingsOf } from '../../models/index.ts';
import { checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';
import type { BootChoice } from './boot-choice.ts';
import { imageVariables, kernelArguments, kernelPath, pause, RETRY_PAUSE, shown } from './script-parts.ts';

/** The script for a choice. Whatever it is told, the machine asks again in the end. */
export function ipxeScript(choice: BootChoice, server: string): string {
  if (choice.kind === 'probe') return probeScript(server);
  if (choice.kind === 'wait') return waitScript(server, choice.reason);
  return choice.kind === 'kernel' ? bootScript(choice.target) : imageScript(choice.target);
}

/** Loads and starts the kernel of the node's image. */
function bootScript(target: BootTarget): string {
  const { server, name } = checkTarget(target);
  const kernel = `http://${server}${kernelPath(target)}`;
  const initramfs = `initramfs-${fittingsOf(target).adapters.name}`;
  return script([
    ...pause(target),
    `echo WalT: ${name} loads its image`,
    // `initrd=` names the file for a kernel that UEFI starts.
    `kernel ${kernel} initrd=${initramfs} ${kernelArguments(target)} || goto failed`,
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
function imageScript(target: BootTarget): string {
  const { server, name } = checkTarget(target);
  return script([
    ...pause(target),
    `echo WalT: ${name} runs the boot script of its image`,
    ...Object.entries(imageVariables(target)).map(([key, value]) => `set ${key} ${value}`),
    `chain http://${server}/boot/start.ipxe || goto failed`,
    ':failed',
    'echo WalT: the boot script of the image failed',
    ...retry(server),
  ]);
}

/** Says why the machine cannot boot now, and asks again after a pause. `reason` is shown without what iPXE would act on. */
function waitScript(server: string, reason: string): string {
  return script([`echo WalT: ${shown(reason)}`, ...retry(server)]);
}

/**
 * Asks a machine that the server does not know for its CPU: `buildarch` tells only what the loader was built for, and
 * BIOS loaders are 32-bit ones. Bit 29 of CPUID leaf 0x80000001 EDX is long mode (AMD64 manual, volume 3, appendix D).
 */
function probeScript(server: string): string {
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
