import { readIfPresent, run, UserError } from '../../platform/index.ts';

/** One of the package indexes that this machine's apt knows. */
export interface PackageIndex {
  uri: string;
  suite: string;
  codename: string;
  origin: string;
  component: string;
}

const FIELDS = ['REPO_URI', 'RELEASE', 'CODENAME', 'ORIGIN', 'COMPONENT'] as const;

/** Where this machine gets its Debian packages from, and which Debian it is. */
export interface AptSetup {
  /** Code name, as `bookworm`. */
  release: string;
  /** Lines of a sources.list(5), without third parties' repositories. */
  sources: string[];
  /** Lines of an apt.conf(5): how to reach them (proxies, checks). */
  options: string[];
}

/** This machine's Debian release. Throws UserError UNAVAILABLE on a machine that is no Debian. */
export async function readRelease(): Promise<string> {
  const release = parseRelease((await readIfPresent('/etc/os-release')) ?? '');
  if (release !== undefined) return release;
  throw new UserError(
    'UNAVAILABLE',
    'The default image is made from Debian packages, and this server is no Debian.',
    'Make it on a Debian server, or import an image.',
  );
}

/**
 * Takes a second or more where apt keeps no cache of its own, since it then reads all its package lists. Throws UserError UNAVAILABLE
 * on a machine that is no Debian or knows no source of its packages.
 */
export async function readAptSetup(): Promise<AptSetup> {
  const release = await readRelease();
  const format = FIELDS.map((field) => `$(${field})`).join('|');
  const indexes = parseIndexes(
    await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']),
  );
  const sources = debianSources(indexes, release);
  if (sources.length === 0) {
    throw new UserError(
      'UNAVAILABLE',
      `This server's apt knows no source of Debian ${release} packages.`,
      'Add one to /etc/apt/sources.list if it is missing, then run: apt-get update',
    );
  }
  return { release, sources, options: accessOptions(await run(['apt-config', 'dump'])) };
}

/** Code name from the text of os-release(5); undefined for another system than Debian. */
export function parseRelease(text: string): string | undefined {
  const value = (key: string) => new RegExp(`^${key}="?([a-z0-9.-]+)"?$`, 'm').exec(text)?.[1];
  return value('ID') === 'debian' ? value('VERSION_CODENAME') : undefined;
}

/** Reads what `apt-get indextargets` prints in our format. */
export function parseIndexes(text: string): PackageIndex[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [uri = '', suite = '', codename = '', origin = '', component = ''] = line.split('|');
      return { uri, suite, codename, origin, component };
    });
}

/** Debian's own repositories for a release, its updates and security fixes included; backports are not. */
export function debianSources(indexes: readonly PackageIndex[], release: string): string[] {
  const suites = [release, `${release}-updates`, `${release}-security`];
  const own = indexes.filter(({ origin, codename }) => origin === 'Debian' && suites.includes(codename));
  return [...new Set(own.map(({ uri, suite, component }) => `deb ${uri} ${suite} ${component}`))];
}

/**
 * The same repositories' lines for Debian's firmware that is not free. `keyring`: file of the keys that sign them, where apt does not
 * take them for good by itself.
 */
export function nonFreeSources(sources: readonly string[], keyring: string | undefined): string[] {
  const options = keyring === undefined ? '' : `[signed-by=${keyring}] `;
  const lines = sources.map((line) =>
    line.replace(/^deb /, `deb ${options}`).replace(/ \S+$/, ' non-free-firmware'),
  );
  return [...new Set(lines)];
}

/** The settings of `apt-config dump` that tell how to reach repositories. */
export function accessOptions(dump: string): string[] {
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(?:https?::|Retries|ForceIPv|Check-)/i.test(line) && !line.endsWith(' "";'))
    .map((line) => line.trim());
}
