/** Where things lie in the container of a build. Pure. */
import { UserError } from '../../platform/index.ts';

/** The image's root. */
export const SYSROOT = '/sysroot';
/** Our compilers' names, configuration of build tools. */
export const TOOLS = '/cross';

/** Top folders that the toolchain or the container itself needs as they are. */
const taken = new Set(
  [
    'bin',
    'boot',
    'cross',
    'dev',
    'etc',
    'lib',
    'lib32',
    'lib64',
    'libx32',
    'proc',
    'run',
    'sbin',
    'sys',
    'sysroot',
    'usr',
  ].map((name) => `/${name}`),
);

/**
 * Throws UserError INVALID when the folder of the sources or that of the installation cannot be shown at its own path, since
 * the toolchain has its files there, or since one lies in the other.
 */
export function checkPlaces(folder: string, prefix: string): void {
  if (!mayCover(folder) && !folder.startsWith('/usr/src/')) {
    throw new UserError(
      'INVALID',
      `The folder ${folder} cannot be where the build runs: the compiler's own files are there.`,
      'Go to the folder of your sources first, below your home folder for example.',
    );
  }
  if (!mayCover(prefix) && prefix !== '/usr/local' && !prefix.startsWith('/usr/local/')) {
    throw new UserError(
      'INVALID',
      `Nothing can be installed under ${prefix}: the compiler's own files are there during the build.`,
      'Take /usr/local or a folder below /opt, or set DESTDIR and copy the result in: walt image cp',
    );
  }
  if (isInside(folder, prefix) || isInside(prefix, folder)) {
    throw new UserError(
      'INVALID',
      `The folder of the sources, ${folder}, and that of the installation, ${prefix}, must not lie in each other.`,
      'Build in another folder, or choose another --prefix.',
    );
  }
}

/** True where a mount hides nothing that the container needs. */
function mayCover(path: string): boolean {
  const [, top = '', below] = path.split('/');
  if (taken.has(`/${top}`)) return false;
  // /var itself, and what programs keep in /var/lib.
  return top !== 'var' || (below !== undefined && path !== '/var/lib' && !path.startsWith('/var/lib/dpkg'));
}

/** True for `outer` itself, too. */
function isInside(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}/`);
}
