import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Architecture } from '@walt/contract';
import { projectFile } from '../../platform/index.ts';
import { withTree } from '../../trees/index.ts';
import { type CpioEntry, cpioArchive } from '../initramfs/index.ts';
import { withLibraries } from './lender.ts';

const compress = promisify(gzip);

/** GNU tar: nothing else that Debian's default image has reads extended attributes, and a node's own image need not have it. */
const TAR = '/usr/bin/tar';
const OLD_TAR = '/bin/tar';

/**
 * What a node runs to send what was changed on it (packages/node/changes): the script, and the tar of the platform's default image
 * of its architecture, mounted at `root`. A compressed cpio archive, which the node's busybox unpacks. Throws UserError UNAVAILABLE
 * when the image has no tar.
 */
export function changesSender(root: string, architecture: Architecture): Promise<Buffer> {
  return withTree(root, async (tree) => {
    const script = await readFile(projectFile('packages/node/changes/send-changes'));
    const entries: CpioEntry[] = [
      ...['bin', 'lib'].map((path): CpioEntry => ({ path, type: 'folder', mode: 0o755 })),
      { path: 'send-changes', type: 'file', mode: 0o755, content: script },
    ];
    const program = (await tree.findFile(TAR)) === undefined ? OLD_TAR : TAR;
    for await (const { path, content } of withLibraries(tree, architecture, [program])) {
      entries.push({ path, type: 'file', mode: 0o755, content });
    }
    return await compress(cpioArchive(entries));
  });
}
