/** Software that is built at the server's own speed, for an image of another CPU. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { toolchainTar } from '../packages/server/src/images/cross/toolchain.ts';
import { readAptSetup } from '../packages/server/src/images/recipes/apt-sources.ts';
import { loadConfig, run } from '../packages/server/src/platform/index.ts';
import type { Client } from './client.ts';
import { defaultTar } from './default-tar.ts';
import { Platform } from './platform.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

let platform: Platform;
let ann: Client;

before(async () => {
  platform = await Platform.start({ image: false, ownCache: true });
  const { cache } = platform.config;
  await mkdir(cache, { recursive: true });
  // The toolchain is made once on this machine, not by each test.
  const task = {
    host: (argv: readonly string[]) => [...argv],
    signal: AbortSignal.timeout(900_000),
    report: () => {},
  };
  const toolchain = await toolchainTar('arm64', { ...task, cache: (await loadConfig('/dev/null')).cache });
  await symlink(toolchain, join(cache, basename(toolchain)));
  await makeLibraryTar(await defaultTar('arm64', cache));
  await platform.root.ok('advanced', 'update-default-images', '--arch', 'arm64', '--if-missing');
  ann = await platform.as('games');
  await ann.ok('image', 'duplicate', 'waltplatform/arm64-default', 'board');
});
after(() => platform?.close());

/** A system with a shell, a C library and zlib to build with: no need to run anything to make it. */
async function makeLibraryTar(tar: string): Promise<void> {
  const tree = `${tar}.tree`;
  const { release } = await readAptSetup();
  const packages = ['busybox-static', 'libc6', 'libc6-dev', 'zlib1g-dev'];
  await run([
    ...['mmdebstrap', '--architectures=arm64', '--variant=extract', `--include=${packages.join(',')}`],
    ...['--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr', release, tree],
  ]);
  for (const name of ['sh', 'ls', 'uname']) await symlink('busybox', join(tree, 'bin', name));
  await mkdir(join(tree, 'root'), { recursive: true });
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await run(['tar', '--create', '--numeric-owner', '--file', tar, '--directory', tree, '.']);
}

const MAIN = `#include <math.h>
#include <stdio.h>
#include <zlib.h>
int main(int argc, char **argv) { printf("%s: zlib %s, %.1f\\n", argv[0], zlibVersion(), sqrt(argc + 3)); }
`;

/** Files as a project has them that knows nothing of this, and the lines that build it. */
const projects: Record<string, { files: Record<string, string>; build: string }> = {
  make: {
    files: {
      'generator.c': '#include <stdio.h>\nint main(void) { puts("#define MADE 1"); }\n',
      Makefile:
        'CC = gcc\nPREFIX ?= /usr/local\nmake: main.c generator\n\t./generator >made.h\n' +
        '\t$(CC) -include made.h -o $@ $< -lz -lm\ngenerator: generator.c\n\t$(CC_FOR_BUILD) -o $@ $<\n' +
        'install: make\n\tinstall -D make $(DESTDIR)$(PREFIX)/bin/demo-make\n',
    },
    build: 'make install',
  },
  autoconf: {
    files: {
      'configure.ac':
        'AC_INIT([demo],[1])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_SEARCH_LIBS([sqrt],[m])\n' +
        'AC_CHECK_LIB([z],[zlibVersion],[],[AC_MSG_ERROR([no zlib])])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n',
      'Makefile.am': 'bin_PROGRAMS = demo-autoconf\ndemo_autoconf_SOURCES = main.c\n',
    },
    build: 'autoreconf --install && ./configure && make && make install',
  },
  cmake: {
    files: {
      'CMakeLists.txt':
        'cmake_minimum_required(VERSION 3.20)\nproject(demo C)\nfind_package(ZLIB REQUIRED)\n' +
        'add_executable(demo-cmake main.c)\ntarget_link_libraries(demo-cmake ZLIB::ZLIB m)\ninstall(TARGETS demo-cmake)\n',
    },
    build: 'cmake -S . -B build && cmake --build build && cmake --install build',
  },
  meson: {
    files: {
      'meson.build':
        "project('demo', 'c')\nm = meson.get_compiler('c').find_library('m')\n" +
        "executable('demo-meson', 'main.c', dependencies: [dependency('zlib'), m], install: true)\n",
    },
    build: 'meson setup build && meson install -C build',
  },
};

/** A folder of the user's with these files. */
async function project(name: string, files: Record<string, string>): Promise<string> {
  const folder = join(ann.home, name);
  await mkdir(folder);
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  const [, , uid, gid] = (await run(['getent', 'passwd', ann.user])).split(':').map(Number);
  await run(['chown', '--recursive', '--no-dereference', `${uid}:${gid}`, folder]);
  return folder;
}

/** `walt image cross` in a folder, as the user. */
function cross(folder: string, ...words: string[]) {
  return ann.run(['env', '--chdir', folder, ann.launcher, 'image', 'cross', ...words]);
}

/** What a line of shell prints in an image, where it runs under emulation. */
async function inImage(image: string, line: string): Promise<string> {
  const { stdout } = await ann.run([ann.launcher, 'image', 'shell', image, '--discard'], {
    input: `${line}\nexit\n`,
  });
  return stdout;
}

test('projects that know nothing of it are built, installed, and run in the image with its libraries', async () => {
  for (const [name, { files, build }] of Object.entries(projects)) {
    const folder = await project(name, { ...files, 'main.c': MAIN });
    const { status, stdout, stderr } = await cross(folder, 'board', '--', build);
    assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
    assert.match(stderr, /games\/board is saved/);
  }
  const names = Object.keys(projects).map((name) => `demo-${name}`);
  const screen = await inImage('board', `for name in ${names.join(' ')}; do /usr/local/bin/$name; done`);
  for (const name of names) assert.match(screen, new RegExp(`/usr/local/bin/${name}: zlib [0-9.]+, 2\\.0`));

  const generator = await run(['readelf', '--file-header', join(ann.home, 'make/generator')]);
  assert.match(generator, process.arch === 'arm64' ? /AArch64/ : /X86-64/);

  const made = join(ann.home, 'cmake/build/demo-cmake');
  const dynamic = await run(['readelf', '--file-header', '--dynamic', made]);
  assert.match(dynamic, /AArch64/);
  assert.match(dynamic, /NEEDED.*libz\.so\.1/);
  assert.match(dynamic, /NEEDED.*libm\.so\.6/);
});

test('the folder comes back as the command left it, and a failure saves nothing', async () => {
  const folder = await project('folder', { kept: 'kept\n', changed: 'old\n', gone: 'gone\n' });
  await symlink('/etc/hostname', join(folder, 'link'));
  const before = await ann.json<Image[]>('image', 'show');
  const line = [
    'echo new >changed; rm gone; mkdir -p sub/dir; echo made >sub/dir/made; ln -s made sub/dir/link',
    'test -L link || echo followed; echo to stderr >&2; touch /usr/local/lost; cat /sysroot/etc/passwd; exit 7',
  ].join('\n');
  const { status, stdout, stderr } = await cross(folder, 'board', '--', line);
  assert.equal(status, 7);
  assert.equal(stdout, 'root:x:0:0:root:/root:/bin/sh\n');
  assert.match(stderr, /to stderr\n/);
  assert.match(stderr, /status 7: board is as it was/);
  assert.deepEqual((await readdir(folder)).sort(), ['changed', 'kept', 'link', 'sub']);
  assert.equal(await readFile(join(folder, 'changed'), 'utf8'), 'new\n');
  assert.equal(await readFile(join(folder, 'sub/dir/made'), 'utf8'), 'made\n');
  assert.equal(await readlink(join(folder, 'sub/dir/link')), 'made');
  assert.deepEqual(await ann.json<Image[]>('image', 'show'), before);
});

test('what a build makes, set-user-ID programs and devices too, is out of reach for every user of the server', async () => {
  const { builds } = platform.paths;
  const folder = await project('private', { wait: '' });
  const line = [
    'chmod 777 .; mkdir -m 777 open; cp /bin/sh mine; chmod 4755 mine; mknod -m 666 device c 1 5; touch made',
    'while test -e wait; do sleep 0.1; done',
  ].join('\n');
  const building = cross(folder, 'board', '--no-save', '--', line);
  const id = await until('the build', async () =>
    (await readdir(builds).catch(() => [])).find((one) => existsSync(join(builds, one, 'work/made'))),
  );
  const work = join(builds, id, 'work');
  assert.equal((await stat(join(work, 'mine'))).mode & 0o7777, 0o4755);
  for (const path of [builds, join(builds, id)]) assert.equal((await stat(path)).mode & 0o7777, 0o700);
  assert.equal((await ann.run(['test', '-e', folder])).status, 0);
  for (const words of [
    ['test', '-e', join(work, 'mine')],
    ['mv', join(work, 'open'), join(work, 'aside')],
    // Not by the program that changes the user: setpriv(1) may still go anywhere until it has become another program.
    ['sh', '-c', 'exec "$0" -c true', join(work, 'mine')],
  ]) {
    assert.notEqual((await ann.run(words)).status, 0, words.join(' '));
  }
  await rm(join(work, 'wait'));
  assert.equal((await building).status, 0);
});

test('it saves under another name, or not at all, and asks before it replaces', async () => {
  const folder = await project('names', {});
  const install = 'mkdir -p $PREFIX/bin && cp /usr/lib/walt-libc/lib/crt1.o $PREFIX/bin/mark';
  assert.equal((await cross(folder, 'board', '--no-save', '--', install)).status, 0);
  const none = await cross(folder, 'board', '--', 'true');
  assert.match(none.stderr, /Nothing was installed/);

  // Somebody else's image may be built with, and is saved in one's own set.
  const image = 'waltplatform/arm64-default';
  const refused = await cross(folder, image, '--', install);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /belongs to waltplatform/);
  const named = ['--save-as', 'other', '--prefix', '/opt/demo', '--', install];
  assert.equal((await cross(folder, image, ...named)).status, 0);
  assert.match(await inImage('other', 'ls /opt/demo/bin'), /^mark\r?$/m);
  const again = await cross(folder, image, ...named);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /--yes/);
  assert.equal((await cross(folder, image, '--yes', ...named)).status, 0);
});

test('it refuses folders that it cannot use', async () => {
  const folder = await project('refused', {});
  for (const [prefix, told] of [
    ['/usr', /compiler's own files/],
    [join(folder, 'in'), /must not lie in each other/],
    ['../up', /absolute path/],
  ] as const) {
    const { status, stderr } = await cross(folder, 'board', '--prefix', prefix, '--', 'true');
    assert.notEqual(status, 0, prefix);
    assert.match(stderr, told);
  }
  assert.equal((await cross('/etc', 'board', '--', 'true')).status, 1);
});

test('ctrl-c ends it, and leaves nothing', async () => {
  const folder = await project('endless', {});
  const env = { ...ann.env };
  const line = 'touch $PREFIX/lost; echo it runs; exec sleep 100023';
  const command = ann.argv('env', '--chdir', folder, ann.launcher, 'image', 'cross', 'board', '--', line);
  await using terminal = await Terminal.open(command, { env });
  await terminal.expect(/^it runs$/m);
  await terminal.press('C-c');
  await terminal.expect(/board is as it was/);
  assert.equal(await terminal.exited(), 130);
  await until('the end of the build', async () => {
    const processes = (await run(['ps', '-eo', 'args']))
      .split('\n')
      .filter((args) => args === 'sleep 100023');
    return processes.length === 0 && (await readdir(platform.paths.builds)).length === 0;
  });
});
