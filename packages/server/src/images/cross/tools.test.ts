import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { buildEnvironment } from './environment.ts';
import { compilerPackages, targetOf } from './target.ts';
import { type Layout, programs, settings } from './tools.ts';

const layout: Layout = {
  ...{ target: targetOf('arm64'), server: targetOf('amd64') },
  ...{ prefix: '/opt/tool', ownLibrary: true },
};

test('compilers are called by plain names and by the triplet, and see the image', () => {
  const files = programs(layout);
  for (const name of ['cc', 'gcc', 'aarch64-linux-gnu-gcc']) {
    assert.match(
      files[`bin/${name}`] ?? '',
      /^#!\/bin\/sh\nexec \/usr\/bin\/aarch64-linux-gnu-gcc --sysroot=\/sysroot /,
    );
  }
  assert.match(files['bin/strip'] ?? '', /aarch64-linux-gnu-strip "\$@"/);
  assert.doesNotMatch(files['bin/cc'] ?? '', /walt-libc/);
  assert.match(
    programs({ ...layout, ownLibrary: false })['bin/cc'] ?? '',
    /-idirafter \/usr\/lib\/walt-libc\/include/,
  );
});

test('build tools are told the CPU and the prefix', () => {
  const files = settings(layout);
  assert.match(files['toolchain.cmake'] ?? '', /set\(CMAKE_SYSTEM_PROCESSOR aarch64\)/);
  assert.match(files['toolchain.cmake'] ?? '', /CMAKE_INSTALL_PREFIX \/opt\/tool/);
  assert.match(files['meson.ini'] ?? '', /prefix = '\/opt\/tool'/);
  assert.match(files['meson.ini'] ?? '', /cpu_family = 'aarch64'/);
  const own = settings({ ...layout, target: targetOf('amd64') });
  assert.doesNotMatch(own['toolchain.cmake'] ?? '', /CMAKE_SYSTEM_NAME/);
});

const sites: [given: string, found: string][] = [
  ['prefix=NONE host_alias= build_alias=', '/opt/tool aarch64-linux-gnu x86_64-linux-gnu yes'],
  ['prefix=/usr host_alias= build_alias=mine', '/usr aarch64-linux-gnu mine yes'],
  ['prefix=/usr host_alias=other build_alias= cross_compiling=maybe', '/usr other  maybe'],
];

test('the site file of configure sets what was not given', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-cross-'));
  try {
    await writeFile(join(folder, 'config.site'), settings(layout)['config.site'] ?? '');
    for (const [given, found] of sites) {
      const line = `${given}; . "$1"; echo "$prefix $host_alias $build_alias $cross_compiling"`;
      assert.equal((await run(['sh', '-c', line, 'sh', join(folder, 'config.site')])).trim(), found);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

const calls: [words: string[], passed: string][] = [
  [['setup', 'build'], 'setup --cross-file /cross/meson.ini build'],
  [['build', '--buildtype=release'], 'setup --cross-file /cross/meson.ini build --buildtype=release'],
  [['setup', '--cross-file', 'own.ini', 'build'], 'setup --cross-file own.ini build'],
  [['compile', '-C', 'build'], 'compile -C build'],
  [['introspect', '--all'], 'introspect --all'],
];

test('meson gets its cross file when it sets up a build', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-cross-'));
  try {
    const script = join(folder, 'bin/meson');
    await mkdir(dirname(script));
    await writeFile(script, (programs(layout)['bin/meson'] ?? '').replaceAll('/usr/bin/meson', 'echo'));
    await chmod(script, 0o755);
    for (const [words, passed] of calls) assert.equal((await run([script, ...words])).trim(), passed);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the environment tells make, pkg-config, cargo and go', () => {
  const env = buildEnvironment({ ...layout, target: targetOf('armhf') });
  assert.equal(env.CC, 'arm-linux-gnueabihf-gcc');
  assert.equal(env.CC_FOR_BUILD, '/cross/native/gcc');
  assert.equal(env.PKG_CONFIG_LIBDIR?.split(':')[0], '/sysroot/opt/tool/lib/arm-linux-gnueabihf/pkgconfig');
  assert.equal(env.CARGO_BUILD_TARGET, 'armv7-unknown-linux-gnueabihf');
  assert.equal(env.CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER, 'arm-linux-gnueabihf-gcc');
  assert.equal(env.CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER, '/cross/native/gcc');
  assert.deepEqual([env.GOARCH, env.GOARM, env.CGO_ENABLED], ['arm', '7', '1']);
});

test("the server's own CPU needs no compilers of another one", () => {
  assert.deepEqual(compilerPackages(targetOf('amd64'), 'amd64'), []);
  assert.deepEqual(compilerPackages(targetOf('amd64'), 'arm64'), [
    'gcc-x86-64-linux-gnu',
    'g++-x86-64-linux-gnu',
    'libc6-dev-amd64-cross',
  ]);
});
