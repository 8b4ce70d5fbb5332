import { basename } from 'node:path';
import { rawOf, type Tree, type TreePlace } from '../../trees/index.ts';
import { INITTAB_LIMIT } from '../bounds.ts';
import type { ImageFacts } from './lends.ts';

/** Where an image's init is looked for, here and by the node's initramfs. */
const INITS = ['/sbin/init', '/etc/init', '/bin/init', '/lib/systemd/systemd'];

const SSH_SERVERS = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'];

/** `kernel`: whether `findKernel` found one. */
export async function readFacts(tree: Tree, kernel: boolean): Promise<ImageFacts> {
  return {
    kernel,
    init: await hasInit(tree),
    ssh: (await firstFile(tree, SSH_SERVERS)) !== undefined,
    shell: (await tree.findFile('/bin/sh')) !== undefined,
  };
}

async function firstFile(tree: Tree, paths: readonly string[]): Promise<TreePlace | undefined> {
  for (const path of paths) {
    const file = await tree.findFile(path);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** Busybox is an init by name in every image that has it, also where there is nothing that it would start. */
async function hasInit(tree: Tree): Promise<boolean> {
  const init = await firstFile(tree, INITS);
  if (init === undefined) return false;
  const busybox = await tree.findFile('/bin/busybox');
  if (busybox === undefined || !sameFile(init, busybox)) return true;
  const inittab = await tree.readText('/etc/inittab', INITTAB_LIMIT);
  if (inittab === undefined) return (await tree.findFile('/etc/init.d/rcS')) !== undefined;
  for (const { program, bare } of inittabPrograms(inittab)) {
    const file = await tree.findFile(rawOf(program));
    if (file === undefined) continue;
    // A getty or a plain shell on each terminal is no system yet.
    if (!sameFile(file, busybox) || (isShell(program) && !bare)) return true;
  }
  return false;
}

/** Programs of an inittab as busybox reads it: `tty:runlevels:action:program arguments`. */
export function inittabPrograms(text: string): { program: string; bare: boolean }[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', , , ...rest] = line.split(':');
    if (id.includes('#')) return [];
    const command = rest.join(':').trimStart().replace(/^-/, '');
    const [program, ...words] = command.split(/\s+/);
    return program?.startsWith('/') ? [{ program, bare: words.every((word) => word === '') }] : [];
  });
}

function isShell(program: string): boolean {
  return ['sh', 'ash'].includes(basename(program));
}

/** Busybox comes as one file with links, hard or symbolic. */
function sameFile({ stats: a }: TreePlace, { stats: b }: TreePlace): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
