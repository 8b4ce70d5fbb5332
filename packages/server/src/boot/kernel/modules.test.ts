import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadOrder, moduleName, modulesIn, offers, parseModuleIndex } from './modules.ts';

/** As depmod of kmod 30 writes them for Debian's 6.1 cloud kernel, shortened. */
const index = parseModuleIndex({
  dep: [
    'kernel/fs/nfs/nfsv4.ko.xz: kernel/fs/nfs/nfs.ko.xz kernel/fs/lockd/lockd.ko.xz kernel/net/sunrpc/sunrpc.ko.xz',
    'kernel/fs/nfs/nfs.ko.xz: kernel/fs/lockd/lockd.ko.xz kernel/net/sunrpc/sunrpc.ko.xz',
    'kernel/fs/lockd/lockd.ko.xz: kernel/net/sunrpc/sunrpc.ko.xz',
    'kernel/net/sunrpc/sunrpc.ko.xz:',
    'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz',
    'kernel/lib/libcrc32c.ko.xz:',
    'kernel/arch/x86/crypto/crc32c-intel.ko.xz:',
    'kernel/drivers/net/phy/realtek.ko.xz:',
    'kernel/drivers/net/ethernet/realtek/r8169.ko.xz:',
    'kernel/a.ko: kernel/b.ko',
    'kernel/b.ko: kernel/a.ko',
    '',
  ].join('\n'),
  builtin: 'kernel/fs/overlayfs/overlay.ko\nkernel/crypto/crc32c_generic.ko\n',
  softdep: [
    '# Soft dependencies extracted from modules themselves.',
    'softdep libcrc32c pre: crypto-crc32c',
    'softdep r8169 pre: realtek',
    'softdep nfs other',
    '',
  ].join('\n'),
  alias: '# Aliases\nalias crypto-crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\n',
});

describe('the order in which modules are loaded', () => {
  const rows: [wanted: string[], order: string[]][] = [
    [['nfsv4'], ['sunrpc', 'lockd', 'nfs', 'nfsv4']],
    [
      ['nfs', 'nfsv4'],
      ['sunrpc', 'lockd', 'nfs', 'nfsv4'],
    ],
    // A soft dependency is named by an alias; one of its two modules is built in.
    [['erofs'], ['crc32c_intel', 'libcrc32c', 'erofs']],
    [['r8169'], ['realtek', 'r8169']],
    [['crc32c-intel'], ['crc32c_intel']],
    // Built in, or unknown: nothing to load.
    [['overlay', 'virtio_net'], []],
    [['a'], ['b', 'a']],
  ];
  for (const [wanted, order] of rows) {
    test(wanted.join(', '), () => assert.deepEqual(loadOrder(index, wanted), order));
  }
});

test('modules are found by their folders in the kernel', () => {
  assert.deepEqual(modulesIn(index, ['drivers/net', 'fs/erofs', 'fs/er']), ['erofs', 'realtek', 'r8169']);
  assert.deepEqual(modulesIn(index, []), []);
});

test('a kernel offers what is a module or built in', () => {
  assert.deepEqual(
    ['erofs', 'overlay', 'btrfs'].map((name) => offers(index, name)),
    [true, true, false],
  );
});

test('a module has one name, whatever its file is called', () => {
  const files = ['x/crc32c-intel.ko', 'x/crc32c-intel.ko.xz', 'crc32c_intel.ko.gz', 'crc32c-intel.ko.zst'];
  assert.deepEqual(new Set(files.map(moduleName)), new Set(['crc32c_intel']));
});
