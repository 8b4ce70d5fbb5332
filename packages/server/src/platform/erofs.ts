/** EROFS file systems in files. Alone knows mkfs.erofs. */
import { run } from './exec.ts';

/** Equal content gives an equal file, wherever it is made. */
const UUID = '00000000-0000-0000-0000-000000000000';

/**
 * `lz4hc` costs a node no more than `lz4` (the kernel reads lz4 volumes since 5.4) and moves 8 % less. From level 4 to 12 a volume
 * shrinks by one more percent, and takes six times as long.
 */
const COMPRESSION = '-zlz4hc,4';

/**
 * mkfs.erofs takes this as the volume's own time, and lowers later times of files to it. Being far ahead (year 2100), it keeps
 * every file's time: `-T` would replace them all, and Python then compiles its modules at each start.
 */
const SOURCE_DATE_EPOCH = '4102444800';

/** What becomes of owners and times: `kept` as in the folder, or all `root`'s and of 1970. */
export type Attributes = 'kept' | 'root';

/** Packs a folder into the file `path`. Whiteouts, opaque marks, capabilities and hard links are kept. */
export async function makeErofs(folder: string, path: string, attributes: Attributes): Promise<void> {
  const options = ['--quiet', COMPRESSION, '-U', UUID];
  if (attributes === 'kept')
    await run(['mkfs.erofs', ...options, path, folder], { env: { SOURCE_DATE_EPOCH } });
  else await run(['mkfs.erofs', ...options, '-T0', '--all-root', path, folder]);
}
