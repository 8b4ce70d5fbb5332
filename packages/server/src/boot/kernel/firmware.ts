/** Firmware that modules load into their devices, as far as the image brings it. */
import { UserError } from '../../platform/index.ts';
import { type Tree, type TreePlace, tooLarge } from '../../trees/index.ts';
import { FIRMWARE_LIMIT, MAX_FIRMWARE } from '../bounds.ts';
import { unpackModule } from './compressed.ts';

/** For each file that modules name, what tells it from another; null where the image has none. */
export type FirmwareFiles = Record<string, string | null>;

/** Where the kernel looks for it (Documentation/driver-api/firmware/fw_search_path.rst). */
const FOLDER = '/lib/firmware';
/** As distributions have them. */
const SUFFIXES = ['', '.xz', '.zst'];

/** Names of the files that a module may ask for, as it says by `MODULE_FIRMWARE`. Paths below the kernel's folder, whatever it says. */
export function firmwareNames(module: Uint8Array): string[] {
  const text = Buffer.from(module.buffer, module.byteOffset, module.length).toString('latin1');
  return [...text.matchAll(/firmware=([\w.,+/-]{1,200})\0/g)]
    .map(([, name = '']) => name)
    .filter((name) => name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'));
}

/** Throws UserError INVALID when they are too many. */
export async function firmwareFiles(tree: Tree, names: readonly string[]): Promise<FirmwareFiles> {
  if (names.length > MAX_FIRMWARE) {
    throw new UserError(
      'INVALID',
      `The kernel modules of the image name ${names.length} firmware files: ${MAX_FIRMWARE} are the most.`,
      'Install the kernel package of the image anew.',
    );
  }
  const isThere = (await tree.find(FOLDER)) !== undefined;
  const files: FirmwareFiles = {};
  for (const name of names) {
    const stats = isThere ? (await find(tree, name))?.place.stats : undefined;
    files[name] = stats ? `${stats.ino} ${stats.size} ${stats.ctimeNs}` : null;
  }
  return files;
}

async function find(tree: Tree, name: string): Promise<{ path: string; place: TreePlace } | undefined> {
  for (const suffix of SUFFIXES) {
    const path = `${FOLDER}/${name}${suffix}`;
    const place = await tree.findFile(path);
    if (place) return { path, place };
  }
  return undefined;
}

/** Those that are there, unpacked. Throws UserError INVALID when that is too much, or cannot be unpacked. */
export async function readFirmware(
  tree: Tree,
  files: FirmwareFiles,
): Promise<{ name: string; content: Uint8Array }[]> {
  const read = [];
  let left = FIRMWARE_LIMIT;
  for (const [name, mark] of Object.entries(files)) {
    const found = mark === null ? undefined : await find(tree, name);
    const bytes = found && (await tree.read(found.path, left));
    if (!bytes) continue;
    const content = await unpackModule(bytes, found.path, left);
    left -= content.length;
    if (left < 0) throw tooLarge(`What nodes load of ${FOLDER}`, FIRMWARE_LIMIT - left, FIRMWARE_LIMIT);
    read.push({ name, content });
  }
  return read;
}
