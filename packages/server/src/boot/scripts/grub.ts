/**
 * Scripts for GRUB (https://www.gnu.org/software/grub/manual/grub/): what UEFI of 64-bit ARM runs, for which Debian has no iPXE. It
 * loads them by TFTP, however it was loaded itself, all else by HTTP.
 */
import { checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';
import type { BootChoice } from './boot-choice.ts';
import { kernelArguments, kernelPath, RETRY_PAUSE, shown } from './script-parts.ts';

/** What it asks for: see images/debian/grub/grub.cfg. */
export const GRUB_SCRIPT = 'grub/grub.cfg';
/** What Debian's own grubnetaa64.efi asks for besides, which default images had before. */
export const GRUB_HTTP = 'grub/arm64-efi/http.mod';

/** The script for a choice. Whatever it is told, the machine asks again in the end. */
export function grubScript(choice: BootChoice): Buffer {
  const lines = choice.kind === 'kernel' ? bootLines(choice.target) : [say(reasonOf(choice))];
  return Buffer.from([...lines, ...RETRY].map((line) => `${line}\n`).join(''));
}

function reasonOf(choice: Exclude<BootChoice, { kind: 'kernel' }>): string {
  return choice.kind === 'wait' ? choice.reason : 'this machine cannot be booted by GRUB';
}

function bootLines(target: BootTarget): string[] {
  const { server, name } = checkTarget(target);
  const http = `(http,${server})`;
  return [
    'insmod http',
    say(`${name} loads its image`),
    `if linux ${http}${kernelPath(target)} ${kernelArguments(target)}; then`,
    `if initrd ${http}/node/initramfs; then boot; fi`,
    'fi',
    say('the kernel could not be loaded or started'),
  ];
}

/** GRUB keeps the address that it has: a machine that has just become a node gets its own by starting over. */
const RETRY = [say(`next try in ${RETRY_PAUSE} seconds`), `sleep ${RETRY_PAUSE}`, 'reboot'];

function say(text: string): string {
  return `echo "WalT: ${shown(text)}"`;
}
