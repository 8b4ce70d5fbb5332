/** What is held in memory of an archive that a user copies into an image has a bound. */
import assert from 'node:assert/strict';
import { link, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HostileTree } from '../../trees/hostile-tree.fixture.ts';
import { withTree } from '../../trees/index.ts';
import { CopyLayer } from './copy-layer.ts';
import { endOfTar, type TarHeader, tarHeader } from './tar/index.ts';

const MIB = 1024 ** 2;
const LIMITS = { entries: 20, names: 1000, attributes: 1000 };
const FOLDER = { mode: 0o755, uid: 0, gid: 0, size: 0, target: '', type: 'folder' } as const;
/** As the kernel has it of `setfacl -d -m u::rwx,g::r-x,o::r-x` (linux/posix_acl_xattr.h). */
const LIST = Buffer.from('0200000001000700ffffffff04000500ffffffff20000500ffffffff', 'hex').toString(
  'latin1',
);

type Sent = Partial<TarHeader> & Pick<TarHeader, 'path'>;

/** Copies an archive into /etc of an image, which has the empty files same-0 to same-9 there. Their time is that of all that is sent. */
async function copy(sent: readonly Sent[], limits?: typeof LIMITS): Promise<void> {
  await using image = await HostileTree.make([]);
  const etc = join(image.tree, 'etc');
  await mkdir(etc);
  let mtime = 0n;
  for (let file = 0; file < 10; file += 1) {
    // Links to the first, so that all have its time.
    const path = join(etc, `same-${file}`);
    if (file === 0) await writeFile(path, '', { mode: 0o644 });
    else await link(join(etc, 'same-0'), path);
    mtime = (await stat(path, { bigint: true })).mtimeNs;
  }
  async function* archive() {
    for (const header of sent) yield tarHeader({ attributes: new Map(), ...FOLDER, mtime, ...header });
    yield endOfTar();
  }
  await withTree(image.tree, async (tree) => {
    const layer = new CopyLayer({ tree, folder: 'etc', name: undefined }, archive(), limits);
    for await (const _ of layer.tar());
  });
}

const many = (count: number, one: (index: number) => Sent) =>
  Array.from({ length: count }, (_, index) => one(index));
const value = (size: number) => ['user.x', 'x'.repeat(size)] as const;

test('as many entries as may be held are copied, and one more is refused', async () => {
  await copy(
    many(20, (index) => ({ path: `new-${index}` })),
    LIMITS,
  );
  await assert.rejects(
    copy(
      many(21, (index) => ({ path: `new-${index}` })),
      LIMITS,
    ),
    { code: 'INVALID', message: 'The archive has more than 20 files.' },
  );
});

test('so are long names', async () => {
  const long = (index: number): Sent => ({ path: `link-${index}`, type: 'link', target: 'x'.repeat(150) });
  await copy(many(6, long), LIMITS);
  await assert.rejects(copy(many(7, long), LIMITS), { code: 'INVALID', message: /1000 bytes of names/ });
});

test('so are attributes of files that are there already', async () => {
  const same = (index: number): Sent => {
    return { path: `same-${index}`, type: 'file', mode: 0o644, attributes: new Map([value(200)]) };
  };
  await copy(many(4, same), LIMITS);
  await assert.rejects(copy(many(10, same), LIMITS), {
    code: 'INVALID',
    message: /1000 bytes of attributes/,
  });
});

test('so are folders that are told at the end of the layer', async () => {
  const listed = (index: number): Sent => {
    return {
      path: `new-${index}`,
      attributes: new Map([['system.posix_acl_default', LIST], value(MIB / 2)]),
    };
  };
  await copy(many(10, listed));
  await assert.rejects(copy(many(270, listed)), { code: 'INVALID', message: /default access lists/ });
});
