import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { attempt } from '../../platform/index.ts';
import { LAYOUT } from '../boot-files.ts';
import { exampleDirectory, exampleTarget } from '../example-target.ts';
import { InitArchives, Reads } from '../initramfs/index.ts';
import { questionScript } from '../scripts/index.ts';
import { NodeFiles } from './node-files.ts';
import { NodeTftp } from './node-tftp.ts';

let folder: string;
let tftp: NodeTftp;
let port: number;
const restarted: string[] = [];

const target = { ...exampleTarget, model: 'rpi-3-b' };
const directory = exampleDirectory(target);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-node-tftp-'));
  const image = join(folder, 'boot', 'd'.repeat(64));
  await mkdir(join(image, 'walt', 'rpi-3-b', 'overlays'), { recursive: true });
  await mkdir(join(folder, 'loaders'));
  await writeFile(join(folder, 'loaders', 'undionly.kpxe'), 'loader');
  await writeFile(join(folder, 'loaders', 'secret'), 'secret');
  await writeFile(join(image, 'vmlinuz-virtual'), 'kernel');
  await writeFile(join(image, 'walt', 'rpi-3-b', 'initrd'), 'own initrd');
  await writeFile(join(image, 'walt', 'rpi-3-b', 'overlays', 'a b'), 'overlay');
  await writeFile(join(image, 'walt', 'vmlinuz-6.1'), 'of /boot');
  const record = {
    ...{ layout: LAYOUT, architecture: 'arm64', kernel: '6.1', bootPlan: 'nfs-root', models: ['rpi-3-b'] },
    walt: {
      bin: 'usr/bin',
      scripts: { 'rpi-3-b': 'start.uboot' },
      templates: [
        { path: 'boot/x', mode: 0o644, content: 'server=%(server_ip)s', served: ['rpi-3-b/x.txt'] },
      ],
      folders: [],
    },
  };
  await writeFile(join(image, 'boot.json'), JSON.stringify(record));
  const paths = {
    ...{ bootFiles: join(folder, 'boot'), busybox: folder, loaders: [join(folder, 'loaders')] },
    ...{ reads: join(folder, 'reads'), volumes: join(folder, 'volumes') },
  };
  const address = { server: '10.73.0.1', mac: '02:00:00:00:00:01' };
  const parts = { directory, paths, archives: new InitArchives(paths), reads: new Reads(paths) };
  const firmware = { file: async () => undefined };
  const files = new NodeFiles({ ...parts, address });
  tftp = new NodeTftp({ ...parts, files, firmware, reset: (ip) => restarted.push(ip) });
  port = await tftp.listen('127.0.0.1', 0);
});
after(async () => {
  await tftp.close();
  await rm(folder, { recursive: true });
});

/** What Debian's curl gets; undefined when the server has no such file. */
async function get(path: string): Promise<string | undefined> {
  const url = `tftp://127.0.0.1:${port}/${encodeURIComponent(path)}`;
  const { status, stdout } = await attempt(['curl', '--silent', '--path-as-is', '--output', '-', url]);
  if (status === 68) return undefined; // CURLE_TFTP_NOTFOUND
  assert.equal(status, 0);
  return stdout;
}

describe('by TFTP comes', () => {
  const rows: [path: string, content: string | undefined][] = [
    ['undionly.kpxe', 'loader'],
    ['/undionly.kpxe', 'loader'],
    ['snponly.efi', undefined],
    ['grub/arm64-efi/grub.cfg', undefined],
    ['secret', undefined],
    [`boot/files/${'d'.repeat(64)}/vmlinuz-virtual`, 'kernel'],
    [`boot/files/${'e'.repeat(64)}/vmlinuz-virtual`, undefined],
    ['initrd', 'own initrd'],
    ['./initrd', 'own initrd'],
    ['boot/initrd', 'own initrd'],
    ['/initrd', 'own initrd'],
    ['/boot/rpi-3-b/initrd', 'own initrd'],
    ['vmlinuz-6.1', 'of /boot'],
    ['/boot/vmlinuz-6.1', 'of /boot'],
    ['overlays/a b', 'overlay'],
    ['x.txt', 'server=10.73.0.1'],
    ['../../boot.json', undefined],
    ['boot/../../../boot.json', undefined],
    ['/etc/passwd', undefined],
    ['overlays', undefined],
    ['', undefined],
  ];
  for (const [path, content] of rows) {
    test(`${JSON.stringify(path)}: ${content ?? 'nothing'}`, async () => {
      assert.equal(await get(path), content);
    });
  }
});

test('U-Boot is asked who it is, before anything else', async () => {
  assert.equal(await get('boot.scr.uimg'), questionScript().toString());
});

test('a board whose hardware address cannot be told must wait', async () => {
  for (const path of ['u-boot?cpu=armv8&vendor=emulation&fdt=', 'start.uboot', 'grub/grub.cfg']) {
    assert.match((await get(path)) ?? '', /this request came from nowhere.*\nsleep 10\nre(?:set|boot)\n$/s);
  }
});

test('a machine with GRUB has just started: what it had by HTTP before is over', async () => {
  restarted.length = 0;
  await get('undionly.kpxe');
  assert.deepEqual(restarted, []);
  await get('grub/grub.cfg');
  assert.deepEqual(restarted, ['127.0.0.1']);
});
