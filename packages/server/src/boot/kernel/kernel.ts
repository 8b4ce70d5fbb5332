import type { Tree, TreePlace } from '../../trees/index.ts';
import { MAX_RELEASES, TEXT_LIMIT } from '../bounds.ts';

export interface Kernel {
  /** What `uname -r` says on the node. */
  release: string;
  /** Its bootable file in the image. */
  file: TreePlace;
  /** Folder of its modules, as a path in the image. */
  modules: string;
  /** Its build configuration (`CONFIG_X=y` lines), where the image carries it. */
  config: string | undefined;
}

/** A release as Linux distributions write it. It becomes a path in an initramfs and a word in lists. */
const RELEASE = /^[0-9][A-Za-z0-9._+~-]{0,99}$/;

/**
 * The newest kernel of an image that has both `/boot/vmlinuz-RELEASE` (or `vmlinux-`, as on some ARM systems) and
 * `/lib/modules/RELEASE/modules.dep`; undefined when there is none.
 */
export async function findKernel(tree: Tree): Promise<Kernel | undefined> {
  const folder = await tree.find('/lib/modules');
  const names = folder && (await tree.names(folder.path, MAX_RELEASES));
  const releases = names?.filter((name) => RELEASE.test(name)) ?? [];
  for (const release of releases.sort(compareReleases).reverse()) {
    const modules = `/lib/modules/${release}`;
    const file =
      (await tree.findFile(`/boot/vmlinuz-${release}`)) ??
      (await tree.findFile(`/boot/vmlinux-${release}`)) ??
      (await tree.findFile(`${modules}/vmlinuz`));
    if (file === undefined || (await tree.findFile(`${modules}/modules.dep`)) === undefined) continue;
    return { release, file, modules, config: await tree.readText(`/boot/config-${release}`, TEXT_LIMIT) };
  }
  return undefined;
}

/** Orders releases as people do: runs of digits by value, the rest by code. */
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
