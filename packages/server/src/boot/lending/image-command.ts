/** What an image's configuration says of its command (OCI image-spec, config.md), made into words that run it. */

import { TOOLS } from '../lent-paths.ts';
import type { Credentials } from './accounts.ts';

export interface ImageConfig {
  entrypoint: readonly string[];
  cmd: readonly string[];
  /** `NAME=VALUE` each. */
  env: readonly string[];
  /** Empty: `/`. */
  workdir: string;
  /** Empty: root. */
  user: string;
  labels: Readonly<Record<string, string>>;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A program that the platform lends, run by its own loader: the image's C library may be another, or none. */
function lentProgram(name: string): string[] {
  const options = ['--inhibit-cache', '--library-path', `${TOOLS}/lib`];
  return [`${TOOLS}/lib/ld.so`, ...options, `${TOOLS}/bin/${name}`];
}

/**
 * An argument array that runs the image's command as its user, in its folder, with its environment and nothing else.
 * Undefined when the image has no command. `credentials` undefined: its user is unknown, which the words then say.
 */
export function commandWords(
  config: ImageConfig,
  credentials: Credentials | undefined,
): string[] | undefined {
  const argv = [...config.entrypoint, ...config.cmd];
  // Said of many an image that was made to be booted. Where such an init is missing, there is nothing to run.
  if (argv.length === 0 || (argv.length === 1 && argv[0] === '/sbin/init')) return undefined;
  if (!credentials) {
    const text = `walt: the image has no user ${config.user}: its command is not run`;
    return [`${TOOLS}/bin/busybox`, 'echo', text];
  }
  const { uid, gid, groups, home } = credentials;
  const own = config.env.filter((pair) => pair.indexOf('=') > 0);
  const names = new Set(own.map((pair) => pair.slice(0, pair.indexOf('='))));
  const missing = [DEFAULT_PATH, `HOME=${home}`].filter((pair) => !names.has(pair.split('=')[0] ?? ''));
  return [
    ...lentProgram('setpriv'),
    ...[`--reuid=${uid}`, `--regid=${gid}`],
    groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups',
    '--',
    // Last, so that nothing of the image's environment (LD_PRELOAD) reaches a program of ours.
    ...lentProgram('env'),
    ...['--ignore-environment', `--chdir=${config.workdir || '/'}`, '--'],
    ...[...missing, ...own],
    ...argv,
  ];
}
