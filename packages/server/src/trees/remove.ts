import { run } from '../platform/index.ts';

/**
 * Removes a folder in which users' programs have worked, if it is there. By rm(1): they may have made folders that are deeper than a path
 * may be, which Node.js cannot remove. What is mounted in there stays as it is. Throws ExternalError.
 */
export async function removeTree(folder: string): Promise<void> {
  await run(['rm', '-rf', '--one-file-system', '--', folder]);
}
