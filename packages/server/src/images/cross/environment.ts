import { SYSROOT, TOOLS } from './places.ts';
import type { Layout } from './tools.ts';

/** Environment of a build: what make, CMake, Autoconf, pkg-config, cargo and go are told by variables. Pure. */
export function buildEnvironment({ target, server, prefix }: Layout): Record<string, string> {
  const { triplet, multiarch, rust } = target;
  const tool = (name: string) => `${triplet}-${name}`;
  const native = (name: string) => `${TOOLS}/native/${name}`;
  const places = [...new Set([prefix, '/usr/local', '/usr'])];
  const packages = places.flatMap((place) =>
    [`lib/${multiarch}`, 'lib', 'share'].map((folder) => `${SYSROOT}${place}/${folder}/pkgconfig`),
  );
  return {
    // Not /usr/local/bin: it is the image's, for its CPU.
    PATH: `${TOOLS}/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    ...{ HOME: '/root', LANG: 'C.UTF-8', PREFIX: prefix },
    ...{ CC: tool('gcc'), CXX: tool('g++'), AR: tool('ar'), AS: tool('as'), LD: tool('ld'), NM: tool('nm') },
    ...{ RANLIB: tool('ranlib'), STRIP: tool('strip'), READELF: tool('readelf') },
    ...{ OBJCOPY: tool('objcopy'), OBJDUMP: tool('objdump') },
    ...{ CHOST: triplet, CROSS_COMPILE: `${triplet}-` },
    // Programs that only run during the build.
    ...{ CC_FOR_BUILD: native('gcc'), CXX_FOR_BUILD: native('g++'), BUILD_CC: native('gcc') },
    ...{ HOSTCC: native('gcc'), HOSTCXX: native('g++'), HOST_CC: native('gcc') },
    ...{ PKG_CONFIG: tool('pkg-config'), PKG_CONFIG_SYSROOT_DIR: SYSROOT },
    ...{ PKG_CONFIG_LIBDIR: packages.join(':'), PKG_CONFIG_ALLOW_CROSS: '1' },
    ...{ CMAKE_TOOLCHAIN_FILE: `${TOOLS}/toolchain.cmake`, CONFIG_SITE: `${TOOLS}/config.site` },
    ...{ CARGO_BUILD_TARGET: rust, [`CC_${rust.replaceAll('-', '_')}`]: tool('gcc') },
    ...{ [cargoLinker(server.rust)]: native('gcc'), [cargoLinker(rust)]: tool('gcc') },
    ...{ GOOS: 'linux', CGO_ENABLED: '1', ...target.go },
    // Where programs for the image's CPU that run during a build, under emulation, find their libraries.
    QEMU_LD_PREFIX: SYSROOT,
  };
}

/** Without it, cargo takes `cc` for the server's own programs, such as build scripts: here that is the image's compiler. */
function cargoLinker(rust: string): string {
  return `CARGO_TARGET_${rust.toUpperCase().replaceAll('-', '_')}_LINKER`;
}
