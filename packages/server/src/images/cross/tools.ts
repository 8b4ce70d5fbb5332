/**
 * What a build finds under /cross: compilers by all their names, each of which builds for the image, and what configures the
 * build tools alike. Pure: files by path, relative to /cross.
 */
import { SYSROOT, TOOLS } from './places.ts';
import type { Target } from './target.ts';

export interface Layout {
  target: Target;
  /** The server's own CPU, on which the tools run. */
  server: Target;
  /** Folder of the image that takes what is installed. */
  prefix: string;
  /** True when the image has a C library to build with. */
  ownLibrary: boolean;
}

/** What the toolchain offers to images that have no C library to build with (images/toolchain/customize-hook). */
const LIBC = '/usr/lib/walt-libc';
/** The image's links to absolute paths, which would lead into the toolchain: the same links, into the image. */
export const LINKS = `${TOOLS}/links`;

/** Files to execute. */
export function programs(layout: Layout): Record<string, string> {
  const { server } = layout;
  const { triplet } = layout.target;
  const flags = compilerFlags(layout).join(' ');
  // The server's own compilers must not take the assembler and the linker that come first in PATH.
  const native = (name: string) => `#!/bin/sh\nexec /usr/bin/${server.triplet}-${name} -B/usr/bin "$@"\n`;
  const compiler = (name: string) => `#!/bin/sh\nexec /usr/bin/${triplet}-${name} ${flags} "$@"\n`;
  const files: Record<string, string> = {
    'bin/meson': meson(),
    'bin/pkg-config': '#!/bin/sh\nexec /usr/bin/pkgconf "$@"\n',
    'native/gcc': native('gcc'),
    'native/g++': native('g++'),
  };
  for (const [name, tool] of compilers) files[`bin/${name}`] = compiler(tool);
  for (const name of binutils) files[`bin/${name}`] = `#!/bin/sh\nexec /usr/bin/${triplet}-${name} "$@"\n`;
  for (const name of [...compilers.keys(), ...binutils, 'pkg-config']) {
    const text = files[`bin/${name}`];
    if (text !== undefined) files[`bin/${triplet}-${name}`] = text;
  }
  return files;
}

/** Files to read. */
export function settings(layout: Layout): Record<string, string> {
  return {
    'config.site': configSite(layout),
    'toolchain.cmake': cmake(layout),
    'meson.ini': mesonFile(layout),
  };
}

/** Plain names, too: `CC = gcc` in a Makefile means the image's CPU. Who wants the server's own takes CC_FOR_BUILD. */
const compilers = new Map([
  ...['cc', 'gcc', 'c99', 'c89'].map((name) => [name, 'gcc'] as const),
  ...['c++', 'g++'].map((name) => [name, 'g++'] as const),
  ['cpp', 'cpp'] as const,
]);

const binutils = [
  'ar',
  'as',
  'ld',
  'nm',
  'objcopy',
  'objdump',
  'ranlib',
  'readelf',
  'size',
  'strip',
  'strings',
];

function compilerFlags({ target, ownLibrary }: Layout): string[] {
  return [
    `--sysroot=${SYSROOT}`,
    `-L${LINKS}/usr/lib/${target.multiarch}`,
    ...[`-L${LINKS}/lib/${target.multiarch}`, `-L${LINKS}/usr/lib`, `-L${LINKS}/usr/local/lib`],
    // Compilers for another CPU than their own do not look there by themselves.
    `-isystem ${SYSROOT}/usr/local/include`,
    ...(ownLibrary ? [] : [`-idirafter ${LIBC}/include`, `-B${LIBC}/lib`, `-L${LIBC}/lib`]),
  ];
}

/**
 * Read by each `configure` that Autoconf made, after it has read its arguments (Autoconf manual, "Setting Site Defaults"). It sets
 * what `--build` and `--host` would have set, unless they were given.
 */
function configSite({ target, server, prefix }: Layout): string {
  const { triplet } = target;
  const build = server.triplet;
  return `test "$prefix" = NONE && prefix=${prefix}
if test -z "$host_alias"; then
  test -n "$build_alias" || build_alias=${build}
  host_alias=${triplet}
  build=$build_alias host=$host_alias
  ac_tool_prefix=$host_alias-
  ${triplet === build ? ':' : 'cross_compiling=yes'}
fi
`;
}

function cmake({ target, server, prefix }: Layout): string {
  const { triplet, machine } = target;
  const foreign = `set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR ${machine})\n`;
  return `${triplet === server.triplet ? '' : foreign}set(CMAKE_SYSROOT ${SYSROOT})
set(CMAKE_C_COMPILER ${TOOLS}/bin/${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${TOOLS}/bin/${triplet}-g++)
set(CMAKE_FIND_ROOT_PATH ${LINKS} ${SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(NOT DEFINED CMAKE_INSTALL_PREFIX)
  set(CMAKE_INSTALL_PREFIX ${prefix} CACHE PATH "")
endif()
`;
}

function mesonFile({ target, prefix }: Layout): string {
  const { triplet, meson } = target;
  const binaries = Object.entries({
    ...{ c: 'gcc', cpp: 'g++', ar: 'ar', strip: 'strip', ld: 'ld', nm: 'nm', objcopy: 'objcopy' },
    'pkg-config': 'pkg-config',
    pkgconfig: 'pkg-config',
  });
  return `[binaries]
${binaries.map(([name, tool]) => `${name} = '${TOOLS}/bin/${triplet}-${tool}'\n`).join('')}cmake = 'cmake'

[properties]
sys_root = '${SYSROOT}'
needs_exe_wrapper = false

[built-in options]
prefix = '${prefix}'

[host_machine]
system = 'linux'
cpu_family = '${meson.family}'
cpu = '${meson.cpu}'
endian = 'little'
`;
}

/** meson takes its cross file as an option only: it is given when a build folder is set up, unless the user gives one. */
function meson(): string {
  return `#!/bin/sh
case $1 in
  configure|dist|install|introspect|init|test|wrap|subprojects|rewrite|compile|devenv|env2mfile|help|-*) exec /usr/bin/meson "$@" ;;
  setup) shift ;;
esac
for word; do
  case $word in --cross-file|--cross-file=*) exec /usr/bin/meson setup "$@" ;; esac
done
exec /usr/bin/meson setup --cross-file ${TOOLS}/meson.ini "$@"
`;
}
