import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isUserError, run } from '../platform/index.ts';
import { writeUsbImage } from './usb-image.ts';

const DEBIANS = '/usr/lib/ipxe';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-usb-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('the image has iPXE for BIOS and UEFI, the administrator’s own first', async () => {
  const own = join(folder, 'loaders');
  await mkdir(own);
  await writeFile(join(own, 'ipxe.efi'), 'newer');
  const image = join(folder, 'stick.img');
  await writeUsbImage(image, { loaders: [own, DEBIANS] });
  const bytes = await readFile(image);
  assert.equal(bytes.readUInt16LE(510), 0xaa55);
  const [start, size] = [bytes.readUInt32LE(454), bytes.readUInt32LE(458)];
  assert.equal(bytes.length, (start + size) * 512);
  const copied = (name: string) =>
    run(['mcopy', '-i', `${image}@@${start * 512}`, `::${name}`, join(folder, 'copy')]).then(() =>
      readFile(join(folder, 'copy')),
    );
  assert.equal((await copied('EFI/BOOT/BOOTX64.EFI')).toString(), 'newer');
  await rm(join(folder, 'copy'));
  assert.deepEqual(await copied('ipxe.krn'), await readFile(join(DEBIANS, 'ipxe.lkrn')));
  assert.deepEqual((await readdir(folder)).sort(), ['copy', 'loaders', 'stick.img']);
});

describe('refused, and nothing is changed or left:', () => {
  const rows: [what: string, target: string, code: string, words: RegExp][] = [
    ['a file that exists', 'file', 'CONFLICT', /file is there already/],
    ['a link, wherever it leads', 'link', 'CONFLICT', /link is there already/],
    ['a folder', '.', 'CONFLICT', /is a folder already/],
    ['a device', '/dev/null', 'CONFLICT', /^\/dev\/null is a device/],
    ['a folder that is not there', 'none/stick.img', 'INVALID', /There is no folder .*none/],
    ['a file in a file', 'file/stick.img', 'INVALID', /There is no folder .*file/],
    ['a name that is too long', 'x'.repeat(300), 'INVALID', /cannot be written: ENAMETOOLONG/],
  ];
  for (const [what, target, code, words] of rows) {
    test(what, async () => {
      await writeFile(join(folder, 'file'), 'mine');
      await symlink('nowhere', join(folder, 'link'));
      const path = target.startsWith('/') ? target : join(folder, target);
      const isRefused = (error: unknown) =>
        isUserError(error) && error.code === code && words.test(error.message);
      await assert.rejects(writeUsbImage(path, { loaders: [DEBIANS] }), isRefused);
      assert.deepEqual((await readdir(folder)).sort(), ['file', 'link']);
      assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'mine');
    });
  }

  test('without iPXE', async () => {
    await assert.rejects(writeUsbImage(join(folder, 'stick.img'), { loaders: [folder] }), {
      code: 'UNAVAILABLE',
    });
    assert.deepEqual(await readdir(folder), []);
  });

  test('a file that somebody makes meanwhile', async () => {
    const path = join(folder, 'stick.img');
    const refused = assert.rejects(writeUsbImage(path, { loaders: [DEBIANS] }), { code: 'CONFLICT' });
    await using file = await open(path, 'wx');
    await file.writeFile('mine');
    await refused;
    assert.equal(await readFile(path, 'utf8'), 'mine');
  });
});
