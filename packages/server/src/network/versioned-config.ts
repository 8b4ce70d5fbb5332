import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent, writeFileAtomic } from '../platform/index.ts';

/**
 * Writes a configuration file whose name tells its content, `NAME-HASH.conf`, removes its older versions, and answers its path.
 * A program that gets it as an argument is adopted by a restarted server as long as it would be started the same way, and
 * replaced when its configuration has changed.
 */
export async function writeVersionedConfig(folder: string, name: string, text: string): Promise<string> {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const file = `${name}-${hash}.conf`;
  const path = join(folder, file);
  if ((await readIfPresent(path)) !== text) await writeFileAtomic(path, text);
  for (const other of await readdir(folder)) {
    const isVersion = other.startsWith(`${name}-`) && other.endsWith('.conf');
    if (isVersion && other !== file) await rm(join(folder, other));
  }
  return path;
}
