import type { Tree, TreePlace } from '../../trees/index.ts';
import { MAX_RELEASES, TEXT_LIMIT } from '../bounds.ts';

export interface Kernel {
  /** What `uname -r` says on the node. */
  release: string;
  /** Its bootable file in the image. */
  file: TreePlace;
  /** Folder of its modules. No link is in its path: hundreds of files are looked for below it. */
  modules: string;
  /** Its build configuration (`CONFIG_X=y` lines), where the image carries it. */
  config: string | undefined;
}

/** A release as Linux distributions write it. It becomes a path in an initramfs and a word in lists. */
const RELEASE = /^[0-9][A-Za-z0-9._+~-]{0,99}$/;

/** What Debian (`cloud`), Ubuntu (`kvm`) and Alpine (`virt`) call kernels that have modules for virtual machines only. */
const FOR_VIRTUAL_MACHINES = /-(?:cloud|kvm|virt)(?:-|$)/;

/** Kernels of an image. */
export interface Kernels {
  newest: Kernel;
  /** The newest for real machines, where that is another one. */
  real?: Kernel | undefined;
}

/**
 * The kernels of an image that have both `/boot/vmlinuz-RELEASE` (or `vmlinux-`, as on some ARM systems) and
 * `/lib/modules/RELEASE/modules.dep`; undefined when there is none.
 */
export async function findKernels(tree: Tree): Promise<Kernels | undefined> {
  const folder = await tree.find('/lib/modules');
  const names = (folder && (await tree.names(folder.path, MAX_RELEASES))) ?? [];
  const releases = names
    .filter((name) => RELEASE.test(name))
    .sort(compareReleases)
    .reverse();
  const newest = await firstKernel(tree, releases);
  if (!newest || !FOR_VIRTUAL_MACHINES.test(newest.release)) return newest && { newest };
  const others = releases.filter((release) => !FOR_VIRTUAL_MACHINES.test(release));
  return { newest, real: await firstKernel(tree, others) };
}

async function firstKernel(tree: Tree, releases: readonly string[]): Promise<Kernel | undefined> {
  for (const release of releases) {
    const modules = (await tree.find(`/lib/modules/${release}`))?.path;
    if (modules === undefined) continue;
    const file =
      (await tree.findFile(`/boot/vmlinuz-${release}`)) ??
      (await tree.findFile(`/boot/vmlinux-${release}`)) ??
      (await tree.findFile(`${modules}/vmlinuz`));
    if (file === undefined || (await tree.findFile(`${modules}/modules.dep`)) === undefined) continue;
    return { release, file, modules, config: await tree.readText(`/boot/config-${release}`, TEXT_LIMIT) };
  }
  return undefined;
}

/**
 * Orders releases as people do: runs of digits by value, the rest by code. Of one version, what was added by choice thus comes behind
 * what distributions have by default: `-amd64`, `-cloud-amd64`, `-rt-amd64`.
 */
export function compareReleases(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const x = left[i] ?? '';
    const y = right[i] ?? '';
    if (x === y) continue;
    const difference = Number(x) - Number(y);
    if (x !== '' && y !== '' && difference) return difference;
    if (Number.isNaN(difference) || x === '' || y === '') return x < y ? -1 : 1;
  }
  return 0;
}
