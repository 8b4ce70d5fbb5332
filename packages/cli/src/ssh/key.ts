/** The user's own key for nodes: made once, signed anew by the server for each use. */
import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { AbortError, hasCode } from '@walt/client/errors';
import type { SshFiles } from './files.ts';

const run = promisify(execFile);

/** The public key's line; makes the pair first where there is none. Throws AbortError when ssh-keygen fails or is missing. */
export async function ensureKey({ privateKey, publicKey }: SshFiles): Promise<string> {
  try {
    return await readFile(publicKey, 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await makeKey(privateKey);
  const line = await keygen(['-y', '-f', privateKey]);
  await writeFile(publicKey, line, { mode: 0o644 });
  return line;
}

/** Several walt may do so at the same time: the first one's key stays, never half written. */
async function makeKey(privateKey: string): Promise<void> {
  const folder = dirname(privateKey);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const scratch = await mkdtemp(join(folder, 'new-key-'));
  try {
    const fresh = join(scratch, 'key');
    await keygen(['-q', '-t', 'ed25519', '-N', '', '-C', 'walt', '-f', fresh]);
    await link(fresh, privateKey);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function keygen(args: readonly string[]): Promise<string> {
  try {
    return (await run('ssh-keygen', args)).stdout;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw missingOpenSsh('ssh-keygen');
    const { stderr } = error as { stderr?: string };
    throw new AbortError(
      'EXTERNAL',
      `ssh-keygen failed: ${stderr?.trim() || error}`,
      'Mend that, then try again.',
    );
  }
}

export function missingOpenSsh(program: string): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    `There is no ${program} on this machine.`,
    'Install the OpenSSH client: `sudo apt install openssh-client`.',
  );
}
