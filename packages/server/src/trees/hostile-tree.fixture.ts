/** Trees that somebody made to lead root out of them, beside files that nobody may read or change through them. For tests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { run } from '../platform/index.ts';

/** What each file outside of the tree holds. */
export const SECRET = 'secret-of-the-server';

export interface HostileEntry {
  path: string[];
  kind: 'file' | 'set-uid' | 'folder' | 'link' | 'hard-link' | 'fifo' | 'device' | 'socket' | 'sparse';
  /** Of a link. `OUTSIDE` in it stands for the path of the folder outside. */
  target: string;
  content: string;
}

/** Names that the server asks for, and some that nobody does. */
const names = [
  ...[
    'etc',
    'passwd',
    'group',
    'shadow',
    'inittab',
    'walt',
    'image.spec',
    'boot',
    'pc-x86-64',
    'start.ipxe',
    'kernel',
  ],
  ...[
    'vmlinuz-6.1',
    'lib',
    'modules',
    '6.1',
    'modules.dep',
    'modules.alias',
    'modules.softdep',
    'erofs.ko.gz',
    'usr',
    'bin',
  ],
  ...[
    'sbin',
    'init',
    'sh',
    'busybox',
    'persist',
    'root',
    'tmp',
    'a',
    'b',
    'secret',
    'n'.repeat(255),
    '\u00e9 \n',
  ],
];

const targets = [
  ...[
    '..',
    '../..',
    '../../..',
    '../../../../../../..',
    '/',
    '.',
    'a',
    'b',
    '/etc',
    '/boot',
    '/usr/bin',
    '/a/../../..',
  ],
  ...[
    'OUTSIDE',
    'OUTSIDE/secret',
    'OUTSIDE/folder',
    '../outside',
    '../../outside/secret',
    '../../../outside/folder',
  ],
  ...['/proc/self/root', '/proc/self/cwd', '/etc/passwd', '/dev/zero', 'secret', '/modules.dep'],
];

const contents = [
  ...['', 'text', SECRET.slice(0, 6), `root:x:0:0::${'/a/../..'.repeat(9)}/tmp/x:/bin/sh\\n`],
  ...['{ "templates": ["/etc/passwd", "/../../outside/secret", "/boot/pc-x86-64/start.ipxe"] }'],
  ...[
    'kernel/../../../../../../outside/secret:\\nerofs.ko.gz:\\n',
    '::sysinit:/../../outside/secret\\n',
    '#!ipxe\\nkernel kernel\\n',
  ],
];

export const hostileTree: fc.Arbitrary<HostileEntry[]> = fc.array(
  fc.record({
    path: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 5 }),
    kind: fc.constantFrom(
      'file',
      'set-uid',
      'folder',
      'link',
      'link',
      'link',
      'hard-link',
      'fifo',
      'device',
      'socket',
      'sparse',
    ),
    target: fc.constantFrom(...targets),
    content: fc.constantFrom(...contents),
  }),
  { maxLength: 40 },
);

export class HostileTree implements AsyncDisposable {
  readonly folder: string;
  readonly tree: string;
  readonly outside: string;
  #before: Map<string, string> = new Map();

  private constructor(folder: string) {
    this.folder = folder;
    this.tree = join(folder, 'tree');
    this.outside = join(folder, 'outside');
  }

  static async make(entries: readonly HostileEntry[]): Promise<HostileTree> {
    const made = new HostileTree(await realpath(await mkdtemp(join(tmpdir(), 'walt-hostile-'))));
    await mkdir(join(made.outside, 'folder'), { recursive: true });
    for (const name of ['secret', 'passwd', 'file', 'folder/secret', 'folder/file']) {
      await writeFile(join(made.outside, name), `${SECRET} ${name}`, { mode: 0o600 });
    }
    await mkdir(made.tree);
    for (const entry of entries) await made.#add(entry);
    await made.remember();
    return made;
  }

  /** Makes an entry, unless something is in its way: the test itself must not be led out, either. */
  async #add({ path, kind, target, content }: HostileEntry): Promise<void> {
    let place = this.tree;
    for (const name of path.slice(0, -1)) {
      place = join(place, name);
      const stats = await lstat(place).catch(() => undefined);
      if (stats === undefined) await mkdir(place);
      else if (!stats.isDirectory()) return;
    }
    place = join(place, path.at(-1) ?? '');
    if (await lstat(place).catch(() => undefined)) return;
    if (kind === 'folder') await mkdir(place, { mode: 0o7777 });
    else if (kind === 'link') await symlink(target.replace('OUTSIDE', this.outside), place);
    else if (kind === 'fifo') await run(['mkfifo', place]);
    else if (kind === 'device') await run(['mknod', '-m', '666', place, 'c', '1', '5']);
    else if (kind === 'socket') await makeSocket(place, this.folder);
    else if (kind === 'hard-link') await link(join(this.tree, 'first'), place).catch(() => {});
    else if (kind === 'sparse') await run(['truncate', '-s', '20G', place]);
    else await writeFile(place, content);
    if (kind === 'set-uid') await chmod(place, 0o7755);
  }

  /** Fails when something outside was changed, or read: atime tells, where it is older than the last change (`relatime`). */
  async assertUntouched(): Promise<void> {
    assert.deepEqual(await this.#look(), this.#before);
  }

  /** From here on, nothing outside may change. */
  async remember(): Promise<void> {
    for (const path of await this.#paths()) await utimes(path, 0, 1);
    this.#before = await this.#look();
  }

  async #look(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const path of await this.#paths()) {
      const { mode, size, ino, atimeMs, ctimeMs, nlink } = await lstat(path);
      found.set(path, [mode, size, ino, atimeMs, ctimeMs, nlink].join(' '));
    }
    return found;
  }

  async #paths(): Promise<string[]> {
    return ['', 'folder', 'secret', 'passwd', 'file', 'folder/secret', 'folder/file'].map((name) =>
      join(this.outside, name),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(['rm', '-rf', '--one-file-system', '--', this.folder]);
  }
}

/** bind(2) takes short paths only; once it is there, a socket can be moved. */
async function makeSocket(path: string, folder: string): Promise<void> {
  const server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  await rename(join(folder, 's'), path);
  server.close();
  await once(server, 'close');
}

/** Puts links to `outside` in the place of folders, and takes them away again, without a pause, until it is disposed of. */
export function swap(folders: readonly string[], outside: string): AsyncDisposable {
  const child = spawn(process.execPath, ['-e', SWAPPER, outside, ...folders], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const SWAPPER = `
const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
const [outside, ...folders] = process.argv.slice(1);
for (;;) for (const folder of folders) {
  renameSync(folder, folder + '.aside');
  symlinkSync(outside, folder);
  unlinkSync(folder);
  renameSync(folder + '.aside', folder);
}`;

/** Makes folders in each other below `folder`, whose path is longer than the kernel takes: who goes there step by step can make them. */
export async function makeDeepFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run([process.execPath, '-e', DIGGER, 'd'.repeat(200)], { cwd: folder });
}

const DIGGER = `
for (let depth = 0; depth < 30; depth += 1) {
  require('node:fs').mkdirSync(process.argv[1]);
  process.chdir(process.argv[1]);
}`;

/** All bytes and names of a folder that the server made of such a tree; it must hold nothing but folders and plain files. */
export async function everythingIn(folder: string): Promise<string> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode } = await lstat(path);
    assert.ok(entry.isFile() || entry.isDirectory(), `${path} is neither file nor folder`);
    assert.equal(mode & 0o7000, 0, `${path} has mode ${mode.toString(8)}`);
    found.push(entry.name, entry.isFile() ? await readFile(path, 'latin1') : '');
  }
  return found.join('\n');
}
