import { lstat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageRoot } from './image-root.ts';
import type { ImageFacts } from './lends.ts';

/** Where an image's init is looked for, here and by the node's initramfs. */
const INITS = ['/sbin/init', '/etc/init', '/bin/init', '/lib/systemd/systemd'];

const SSH_SERVERS = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'];

/** `kernel`: whether `findKernel` found one. */
export async function readFacts(root: ImageRoot, kernel: boolean): Promise<ImageFacts> {
  return {
    kernel,
    init: await hasInit(root),
    ssh: (await firstFile(root, SSH_SERVERS)) !== undefined,
    shell: (await root.resolveFile('/bin/sh')) !== undefined,
  };
}

async function firstFile(root: ImageRoot, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const file = await root.resolveFile(path);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** Busybox is an init by name in every image that has it, also where there is nothing that it would start. */
async function hasInit(root: ImageRoot): Promise<boolean> {
  const init = await firstFile(root, INITS);
  if (init === undefined) return false;
  const busybox = await root.resolveFile('/bin/busybox');
  if (busybox === undefined || !(await sameFile(init, busybox))) return true;
  const inittab = await root.read('/etc/inittab');
  if (inittab === undefined) return (await root.resolveFile('/etc/init.d/rcS')) !== undefined;
  for (const { program, bare } of inittabPrograms(inittab)) {
    const file = await root.resolveFile(program);
    if (file === undefined) continue;
    // A getty or a plain shell on each terminal is no system yet.
    if (!(await sameFile(file, busybox)) || (isShell(program) && !bare)) return true;
  }
  return false;
}

/** Programs of an inittab as busybox reads it: `tty:runlevels:action:program arguments`. */
export function inittabPrograms(text: string): { program: string; bare: boolean }[] {
  return text.split('\n').flatMap((line) => {
    const [, command] = /^[^#:]*:[^:]*:[^:]*:\s*-?(.*)$/.exec(line) ?? [];
    const [program, ...rest] = command?.split(/\s+/) ?? [];
    return program?.startsWith('/') ? [{ program, bare: rest.every((word) => word === '') }] : [];
  });
}

function isShell(program: string): boolean {
  return ['sh', 'ash'].includes(basename(program));
}

/** Busybox comes as one file with links, hard or symbolic. */
async function sameFile(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(a), lstat(b)]);
  return left.dev === right.dev && left.ino === right.ino;
}
