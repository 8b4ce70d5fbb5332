/** Debian packages of this machine in an image: as they are installed here, so that no mirror is asked. */
import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../packages/server/src/platform/index.ts';
import type { Platform } from './platform.ts';

const INFO = '/var/lib/dpkg/info';
/** dpkg's database in the image learns of them from it. */
const RECORDS = 'walt-packages';
/** What a package needs and only that. */
const NEEDS = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
  (kind) => `--no-${kind}`,
);
/** Where Debian has links of the same name to folders below /usr. */
const MERGED = '--transform=flags=rhS;s,^\\(bin\\|sbin\\|lib\\|lib64\\)/,usr/\\1/,';

/**
 * Makes the image `name`: `base`, which is Debian, with these packages and what they need. They are configured there; versions that differ
 * from those of the image by a security update are taken as they are. `without`: packages that are noted as installed, without their files.
 */
export async function imageWithPackages(
  platform: Platform,
  { name, base, packages, without }: { name: string; base: string; packages: string[]; without: string[] },
): Promise<void> {
  const { root, folder } = platform;
  const there = await root.ok('image', 'run', base, '--', 'dpkg-query', '-W', '-f', `\${Package}\n`);
  const all = await run(['apt-cache', 'depends', '--recurse', '--installed', ...NEEDS, ...packages]);
  const needed = all.split('\n').filter((line) => /^[a-z0-9]/.test(line));
  const lacking = new Set(needed).difference(new Set(there.split('\n')));
  const known = await run(['dpkg-query', '-W', '-f', `\${Package} \${binary:Package}\n`]);
  const here = new Map(known.split('\n').map((line) => line.split(' ') as [string, string]));
  const added = [...lacking].flatMap((one) => here.get(one) ?? []);

  const tree = join(folder, `${name}-tree`);
  await mkdir(tree);
  const shown = added.filter((one) => !without.includes(one));
  const listed = (await run(['dpkg-query', '-L', ...shown])).split('\n').filter((path) => /^\/./.test(path));
  const paths = [...new Set(listed), ...(await infoFiles(added))];
  const script = `tar -C / --no-recursion --null -T - '${MERGED}' -cf - | tar -C "$1" -xpf -`;
  await run(['sh', '-c', script, 'sh', tree], { input: (await present(paths)).join('\0') });
  const records = await run(['dpkg-query', '-s', ...added]);
  await writeFile(
    join(tree, RECORDS),
    records.replaceAll(/^(Status: install ok) installed$/gm, '$1 unpacked'),
  );

  await root.ok('image', 'duplicate', base, name);
  await root.ok('image', 'cp', '--archive', `${tree}/.`, `${name}:/`);
  const configure = 'DEBIAN_FRONTEND=noninteractive dpkg --force-depends --configure --pending';
  const line = `cat /${RECORDS} >>/var/lib/dpkg/status && rm /${RECORDS} && ${configure}`;
  await root.ok('image', 'run', name, '--save-as', name, '--', 'sh', '-c', line);
}

/** What dpkg keeps of them beside its list. */
async function infoFiles(packages: readonly string[]): Promise<string[]> {
  const owners = new Set(packages);
  const files = (await run(['find', INFO, '-type', 'f'])).split('\n').filter(Boolean);
  return files.filter((path) => owners.has(basename(path).replace(/\.[^.]*$/, '')));
}

/** Relative paths of those that are there; links to folders are in the image. */
async function present(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const stats = await lstat(path).catch(() => undefined);
    if (stats && !/^\/(?:s?bin|lib(?:64)?)$/.test(path)) found.push(path.slice(1));
  }
  return found;
}
