import { readSecretFile } from '../../platform/index.ts';
import { powerFailure } from './source.ts';

/** Where sources of power are reached from. */
export interface Place {
  /** The server's address on walt-net, and the address of all machines there. */
  server: string;
  broadcast: string;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost(argv: readonly string[]): string[];
}

export function inNetwork(
  { onHost }: Place,
  network: 'host' | 'walt-net',
  argv: readonly string[],
): readonly string[] {
  return network === 'host' ? onHost(argv) : argv;
}

/** The password in a file that only root can read, without the end of its line. Throws UserError. */
export async function readSecret(source: string, path: string): Promise<string> {
  const found = await readSecretFile(path);
  if ('secret' in found) return found.secret;
  throw powerFailure(
    source,
    `cannot be asked: its password file ${path} ${found.wrong}.`,
    `Write the password into it, then: chmod 600 ${path}`,
  );
}
