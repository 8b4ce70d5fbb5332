import type { Lend } from '@walt/contract';
import { rawOf, type Tree, textOf } from '../../trees/index.ts';
import type { LentFile } from '../boot-files.ts';
import { TEXT_LIMIT } from '../bounds.ts';
import { TOOLS } from '../lent-paths.ts';
import { type Accounts, credentialsOf, mendPasswd, mendShadow, rootOf } from './accounts.ts';
import { commandWords, type ImageConfig } from './image-command.ts';

/** Folders that a system cannot do without: mount points, and where root is at home. */
const FOLDERS: readonly [path: string, mode: number][] = [
  ['/dev', 0o755],
  ['/proc', 0o755],
  ['/sys', 0o755],
  ['/run', 0o755],
  ['/tmp', 0o1777],
];

/** What handles kernel modules; the kernel itself starts the first. */
const MODULE_PROGRAMS = ['modprobe', 'lsmod', 'rmmod'];

/** Small things that an image gets beside what the lent volumes hold. Reads the image, changes nothing. */
export async function lentFiles(
  tree: Tree,
  lends: readonly Lend[],
  config: ImageConfig,
): Promise<LentFile[]> {
  const accounts: Accounts = {
    passwd: await tree.readText('/etc/passwd', TEXT_LIMIT),
    group: await tree.readText('/etc/group', TEXT_LIMIT),
    shadow: await tree.readText('/etc/shadow', TEXT_LIMIT),
  };
  const files = [
    ...(lends.includes('ssh') ? await accountFiles(tree, accounts) : []),
    ...(lends.includes('init') ? initFiles(config, accounts) : []),
  ];
  const links = [
    ...(lends.includes('shell') ? ['/bin/sh'] : []),
    ...(lends.includes('kernel') ? MODULE_PROGRAMS.map((name) => `/sbin/${name}`) : []),
  ];
  for (const path of links) {
    const place = await missingPlace(tree, path);
    if (place) files.push({ type: 'link', path: place, target: `${TOOLS}/bin/busybox` });
  }
  const home: [string, number] = [rootOf(accounts.passwd)?.home || '/root', 0o700];
  const workdir: [string, number][] = lends.includes('init') ? [[config.workdir || '/', 0o755]] : [];
  for (const [path, mode] of [...FOLDERS, home, ...workdir]) {
    const place = await missingPlace(tree, path);
    if (place) files.push({ type: 'folder', path: place, mode });
  }
  return files;
}

/** Where something goes that the image lacks; undefined when it has it, or when no file can have that path. */
async function missingPlace(tree: Tree, path: string): Promise<string | undefined> {
  if ((await tree.find(rawOf(path))) !== undefined) return undefined;
  const place = await tree.placeFor(rawOf(path));
  return place && textOf(place);
}

async function accountFiles(tree: Tree, accounts: Accounts): Promise<LentFile[]> {
  const shell = rootOf(accounts.passwd)?.shell ?? '/bin/sh';
  // A shell that is missing is lent at this place.
  const there = shell === '/bin/sh' || (await tree.findFile(rawOf(shell))) !== undefined;
  const passwd = mendPasswd(accounts.passwd, () => there);
  const shadow = mendShadow(accounts.shadow);
  const files: LentFile[] = [];
  if (passwd !== undefined) files.push({ type: 'file', path: 'etc/passwd', mode: 0o644, content: passwd });
  if (shadow !== undefined) files.push({ type: 'file', path: 'etc/shadow', mode: 0o600, content: shadow });
  return files;
}

function initFiles(config: ImageConfig, accounts: Accounts): LentFile[] {
  const words = commandWords(config, credentialsOf(config.user, accounts));
  const actions = [
    ...(words ? [`::once:${TOOLS}/bin/command`] : []),
    `::respawn:${TOOLS}/bin/console`,
    `::ctrlaltdel:${TOOLS}/bin/busybox reboot`,
    `::shutdown:${TOOLS}/bin/busybox sync`,
  ];
  const files: LentFile[] = [
    { type: 'file', path: 'etc/inittab', mode: 0o644, content: actions.map((line) => `${line}\n`).join('') },
  ];
  if (words) {
    const content = words.map((word) => `${word}\0`).join('');
    files.push({ type: 'file', path: 'etc/walt/command', mode: 0o600, content });
  }
  return files;
}
