/** Kexec: the kernel that a node runs starts that of its next boot, without its firmware. */
import { createLog } from '../../platform/index.ts';
import type { NodeDirectory } from '../directory.ts';
import { judgeBoot } from './boot-choice.ts';
import { kernelArguments, kernelPath } from './script-parts.ts';

const log = createLog('boot');

type Deps = Pick<Parameters<typeof judgeBoot>[2], 'paths' | 'archives'> & {
  directory: Pick<NodeDirectory, 'mayKexec' | 'beginBoot' | 'withoutKexec'>;
};

/**
 * Begins the boot that a node was ordered, and answers what its kernel is to start, a line each: path of the next kernel on the
 * server, and its arguments; the initramfs is the one that is made for it. Empty: its firmware is to boot it. Undefined: the token is
 * not the node's.
 */
export async function beginKexec(ip: string, token: unknown, deps: Deps): Promise<string | undefined> {
  const { directory } = deps;
  const leave = await directory.mayKexec(ip, token);
  if (leave === undefined || leave === 'unwanted') return leave && '';
  const refusal =
    'refusal' in leave ? leave.refusal : (await judgeBoot(leave.node, { loader: 'kexec' }, deps)).obstacle;
  if (refusal !== undefined) {
    await directory.withoutKexec(ip, refusal);
    return '';
  }
  const target = await directory.beginBoot(ip, 'kexec');
  if (!target) return '';
  const { name, digest, generation } = target;
  log.info('node boots by kexec', { node: name, digest, generation });
  return `${kernelPath(target)}\n${kernelArguments(target)}\n`;
}
