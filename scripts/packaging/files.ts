/** What all packages are made of: files of the checkout, the runtime, words on licences. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import lock from '../../package-lock.json' with { type: 'json' };

/** Where the project lies on a machine: the same folders as in a checkout, so that each finds the others as it does there. */
export const PLACE = 'usr/lib/walt';

export function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
}

/** Modes stay as they are, but for those of the umask. */
export function copy(from: string, to: string, wanted?: (path: string) => boolean): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, ...(wanted ? { filter: wanted } : {}) });
}

export function link(path: string, to: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(to, path);
}

/** As Debian wants it: without name and time. */
export function writeGzipped(path: string, text: string): void {
  write(`${path}.gz`, gzipSync(text, { level: 9 }));
}

/** Names of Debian packages of the list; `kind` undefined: those of lines without a word in front. */
export function listed(list: string, kind?: 'client' | 'masked' | 'amd64'): string[] {
  return list.split('\n').flatMap((line) => {
    const [first = '#', second = ''] = line.trim().split(/\s+/);
    if (first.startsWith('#') || first === '') return [];
    const word = ['client', 'test', 'masked', 'amd64'].find((one) => one === first);
    return word === kind ? [word === undefined ? first : second] : [];
  });
}

export function readList(checkout: string): string {
  return readFileSync(join(checkout, 'scripts/debian-packages.txt'), 'utf8');
}

/** Our licence, and those of all that is inside the bundles. */
export function copyright(checkout: string): string {
  const inside = Object.entries<{ dev?: boolean; link?: boolean; license?: string; version?: string }>(
    lock.packages,
  )
    .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && !dev && !link)
    .map(([path, { license = 'see below', version = '' }]) => {
      const [file] = globSync('{LICENSE,LICENCE}*', { cwd: join(checkout, path) }).sort();
      const text = file === undefined ? '' : readFileSync(join(checkout, path, file), 'utf8').trim();
      return `${path.slice('node_modules/'.length)} ${version}: ${license}\n\n${text}`;
    });
  const own = readFileSync(join(checkout, 'LICENSE'), 'utf8').trim();
  return [own, 'The programs of this package contain, as bundles or as files:', ...inside].join(
    `\n\n${'-'.repeat(78)}\n\n`,
  );
}

export interface Control {
  Package: string;
  Version: string;
  Architecture: string;
  Depends: string;
  Section: string;
  Description: string;
}

/** The scripts that dpkg runs (deb-policy, chapter 6): the files of `from`, with words filled in. */
export function maintainerScripts(
  from: string,
  folder: string,
  words: Readonly<Record<string, string>>,
): void {
  for (const name of readdirSync(from)) {
    const text = readFileSync(join(from, name), 'utf8');
    const filled = text.replace(/@([A-Z]+)@/g, (_, word: string) => words[word] ?? '');
    write(join(folder, 'DEBIAN', name), filled, 0o755);
  }
}

/** Packs a folder, which lies as on the machine but for DEBIAN/. Answers the package's path. */
export function packDebian(folder: string, control: Control, target: string): string {
  const files = globSync('**/*', { cwd: folder, exclude: ['DEBIAN'] }).sort();
  const sums = files.flatMap((path) => {
    const file = join(folder, path);
    return lstatSync(file).isFile()
      ? [`${createHash('md5').update(readFileSync(file)).digest('hex')}  ${path}\n`]
      : [];
  });
  write(join(folder, 'DEBIAN/md5sums'), sums.join(''));
  const size = execFileSync('du', ['-k', '-s', '--apparent-size', folder], { encoding: 'utf8' });
  const fields = {
    ...control,
    'Installed-Size': size.split('\t')[0],
    Maintainer: 'WalT <walt@localhost>',
    Priority: 'optional',
  };
  const text = Object.entries(fields).map(([key, value]) => `${key}: ${value}\n`);
  write(join(folder, 'DEBIAN/control'), text.join(''));
  execFileSync('chmod', ['-R', 'u+rwX,go=rX', folder]);
  const file = join(target, `${control.Package}_${control.Version}_${control.Architecture}.deb`);
  // zstd: seconds instead of a minute, and a third of what unpacking costs.
  execFileSync('dpkg-deb', ['-Zzstd', '-z3', '--root-owner-group', '--build', folder, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return file;
}

/** A program without what debuggers need, where that can be told from outside: a quarter less. */
export function strip(program: string): void {
  try {
    execFileSync('strip', ['--strip-unneeded', program], { stdio: 'ignore' });
  } catch {
    // No binutils here, or none that know the architecture: it is larger.
  }
}

/** Topics of the manual: what `walt help show` reads. */
export function isTopic(path: string): boolean {
  return !['architecture.md', 'decisions'].includes(basename(path));
}
