/**
 * Scripts for U-Boot (https://docs.u-boot.org/en/latest/usage/cmd/): what a board's loader runs once it has an address. It loads
 * everything by TFTP, from the server that DHCP named.
 */
import { crc32 } from 'node:zlib';
import { checkDeviceTree, checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';
import type { BootChoice } from './boot-choice.ts';
import {
  bootFilePath,
  imageVariables,
  kernelArguments,
  kernelPath,
  pause,
  RETRY_PAUSE,
  shown,
} from './script-parts.ts';

/**
 * Blocks that may be under way at once (RFC 7440); U-Boot's default is a round trip for each. Network drivers of U-Boot keep few
 * received packets, some four, and lose what comes beyond that, which costs seconds. 5 MB/s with 1, 12 with 4, 21 with 16
 * and none with 32, on an emulated board.
 */
const WINDOW = 4;

/** Name, in front of `?`, under which a board asks for its script. */
export const UBOOT_QUESTION = 'u-boot';

/**
 * What every board runs first: it asks for its own script, and says what U-Boot knows of the hardware. Its hardware address is not
 * among that: a colon would end a server's name.
 */
export function questionScript(): Buffer {
  const fields = {
    cpu: field('cpu'),
    vendor: field('vendor'),
    fdt: field('fdtfile'),
    // Of a Raspberry Pi, whose U-Boot may know no file for it.
    type: field('board_rev'),
  };
  const query = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return script([
    `setenv tftpwindowsize ${WINDOW}`,
    load('scriptaddr', `"${UBOOT_QUESTION}?${query.join('&')}"`, `source ${field('scriptaddr')}`),
    'echo WalT: the server gave no boot script',
    ...retry(),
  ]);
}

/** The script for a choice. Whatever it is told, the board asks again in the end. */
export function uBootScript(choice: BootChoice): Buffer {
  if (choice.kind === 'probe') return questionScript();
  if (choice.kind === 'wait') return script([`echo "WalT: ${shown(choice.reason)}"`, ...retry()]);
  return choice.kind === 'kernel'
    ? kernelScript(choice.target, choice.deviceTree)
    : imageScript(choice.target);
}

/**
 * Loads and starts the kernel of the node's image. Each kind of ARM CPU has a command for its kernels. Without `deviceTree`, one of
 * the image's, the kernel gets the one that the board's firmware has left in memory.
 */
function kernelScript(target: BootTarget, deviceTree: string | undefined): Buffer {
  const { name, digest } = checkTarget(target);
  const tree = deviceTree === undefined ? 'fdt_addr' : 'fdt_addr_r';
  const files = `${field('kernel_addr_r')} ${field('ramdisk_addr_r')}:${field('filesize')} ${field(tree)}`;
  const boot = `if test ${field('cpu')} = armv8; then booti ${files}; else bootz ${files}; fi`;
  // The initramfs comes last, since its length is what `filesize` then is.
  const system = load(
    'kernel_addr_r',
    kernelPath(target).slice(1),
    load('ramdisk_addr_r', 'node/initramfs', boot),
  );
  return script([
    ...pause(target),
    `echo WalT: ${name} loads its image`,
    `setenv bootargs '${kernelArguments(target)}'`,
    deviceTree === undefined ? system : load('fdt_addr_r', deviceTreePath(digest, deviceTree), system),
    'echo WalT: the kernel could not be loaded or started',
    ...retry(),
  ]);
}

function deviceTreePath(digest: string, name: string): string {
  return bootFilePath(digest, `device-trees/${checkDeviceTree(name)}`).slice(1);
}

/** Runs the boot script that the image brings. */
function imageScript(target: BootTarget): Buffer {
  return script([
    ...pause(target),
    `echo WalT: ${checkTarget(target).name} runs the boot script of its image`,
    ...Object.entries(imageVariables(target)).map(([name, value]) => `setenv ${name} ${value}`),
    load('scriptaddr', 'start.uboot', `source ${field('scriptaddr')}`),
    'echo WalT: the boot script of the image failed',
    ...retry(),
  ]);
}

function load(address: string, file: string, next: string): string {
  return `if tftpboot ${field(address)} ${file}; then ${next}; fi`;
}

function retry(): string[] {
  return [`echo WalT: next try in ${RETRY_PAUSE} seconds`, `sleep ${RETRY_PAUSE}`, 'reset'];
}

/** A variable that U-Boot fills in. */
function field(name: string): string {
  return `\${${name}}`;
}

/**
 * A script in the form that `source` takes: a header of 64 bytes, the lengths of its parts with a 0 behind, the text. Integers are
 * big-endian; both checksums are CRC-32, that of the header with 0 in its own place (U-Boot, include/image.h).
 */
function script(lines: readonly string[]): Buffer {
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');
  const body = Buffer.concat([words(text.length, 0), text]);
  // Magic number, checksum, time, size, load and entry addresses, checksum of the body; then Linux, ARM, script, not compressed.
  const header = Buffer.concat(
    [words(0x2705_1956, 0, 0, body.length, 0, 0, crc32(body)), Buffer.from([5, 2, 6, 0])],
    64,
  );
  header.write('WalT', 32, 'latin1');
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, body]);
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
}
