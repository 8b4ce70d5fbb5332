/** Raspberry Pis without a card, on a platform that has the default image of their CPU and may fetch their firmware. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { writeTinySources } from '../arm-image.ts';
import type { Platform } from '../platform.ts';
import { until } from '../until.ts';
import { boards } from './boards.ts';
import type { Loaded } from './firmware.ts';
import { RaspberryPi } from './raspberry-pi.ts';

const IMAGE = 'arm64-default';

export function testRaspberryPis(platform: () => Platform): void {
  /** The same bytes as a file of the image has. */
  const assertOfImage = async (file: string | null, path: string): Promise<void> => {
    const { root } = platform();
    const copy = join(root.home, path.replaceAll('/', '-'));
    await root.ok('image', 'cp', `waltplatform/${IMAGE}:${path}`, copy);
    assert.ok((await readFile(file ?? '')).equals(await readFile(copy)), path);
  };
  const kernel = async (): Promise<string> => {
    const images = await platform().root.json<{ name: string; kernel: string }[]>('image', 'show', '--all');
    return images.find(({ name }) => name === IMAGE)?.kernel ?? 'none';
  };
  const plug = (
    index: number,
    model: string,
    mac: string,
    serial = `0000000${index}`,
  ): Promise<RaspberryPi> => RaspberryPi.plug(platform(), index, { model, mac, serial });
  /** What Debian's package has of a start file, which is fetched when a board asks for it first, if not before. */
  const startFile = (name: string) => readFile(join(platform().config.cache, 'raspi-firmware', name));

  test('a Raspberry Pi 3 boots without a card, reboots, and keeps its /persist', async () => {
    const { root } = platform();
    const line = await root.ok('advanced', 'update-default-images', '--model', 'rpi-3-b', '--if-missing');
    assert.match(line, /It is for qemu-arm64, .*rpi-3-b, rpi-3-b-plus, rpi-4-b, rpi-400, rpi-cm4\./);
    await using board = await plug(1, 'rpi-3-b', 'b8:27:eb:00:00:01');
    const loaded = await board.load();
    assertAsked(loaded, 'rpi-3-b');
    await assertOfImage(loaded.kernel, `/boot/vmlinuz-${await kernel()}`);
    await assertOfImage(
      loaded.deviceTree,
      `/usr/lib/linux-image-${await kernel()}/broadcom/bcm2837-rpi-3-b.dtb`,
    );
    assert.equal(size(loaded, '00000001/start.elf'), (await startFile('start.elf')).length);
    const name = 'node-000001';
    // Its adapter carries 1 MB/s: of an image that is one program, there is little to load.
    const folder = join(root.home, 'pi');
    await writeTinySources(root, `waltplatform/${IMAGE}`, folder);
    await root.ok('image', 'build', 'pi', '--arch', 'arm64', '--from-dir', folder);
    await root.ok('node', 'acquire', name);
    await root.ok('node', 'boot', name, 'pi');
    const powered = board.power();
    powered.catch(() => {}); // told below, if nobody booted
    const booted = () => Promise.race([platform().booted(name), powered]);
    try {
      await booted();
      const told = await root.on(name, 'uname -m; tr -d "\\0" </proc/device-tree/model; cat /proc/cmdline');
      const [machine, model] = told.split('\n');
      assert.equal(machine, 'aarch64');
      assert.match(model ?? '', /^Raspberry Pi 3 Model B/);
      await root.on(name, 'echo gone >/tmp/note; echo kept >/persist/note');
      await root.ok('node', 'reboot', name);
      await booted();
      assert.equal(await root.on(name, 'ls /tmp/note 2>/dev/null; cat /persist/note'), 'kept\n');
    } catch (error) {
      throw new Error(await readFile(board.console, 'latin1').catch(() => 'no console'), { cause: error });
    }
    assert.match(await readFile(board.console, 'latin1'), /walt: node-000001 is ready after/);
  });

  describe('each other board gets what its model needs:', () => {
    const rows: [model: string, mac: string, tree: string | undefined, folder?: string][] = [
      ['rpi-3-b-plus', 'b8:27:eb:00:00:02', 'bcm2837-rpi-3-b-plus.dtb'],
      ['rpi-4-b', 'dc:a6:32:00:00:03', 'bcm2711-rpi-4-b.dtb', '1000000000000003'],
      ['rpi-400', 'e4:5f:01:00:00:04', 'bcm2711-rpi-400.dtb', 'e4-5f-01-00-00-04'],
      ['rpi-cm4', 'd8:3a:dd:00:00:05', 'bcm2711-rpi-cm4-io.dtb'],
    ];
    for (const [at, [model, mac, tree, folder]] of rows.entries()) {
      test(model, async () => {
        await using board = await plug(at + 2, model, mac, folder);
        const loaded = await board.load('short');
        assertAsked(loaded, model);
        await assertOfImage(loaded.deviceTree, `/usr/lib/linux-image-${await kernel()}/broadcom/${tree}`);
        const start = boards[model]?.probes[0] ?? '';
        const folderOf = folder ?? `0000000${at + 2}`;
        assert.equal(size(loaded, `${folderOf}/${start}`), (await startFile(start)).length);
        assert.match(loaded.arguments ?? '', new RegExp(` walt\\.mac=${mac}$`));
        const node = (await platform().node()).find((one) => one.mac === mac);
        assert.deepEqual([node?.model, node?.ip], [model, loaded.ip]);
      });
    }
  });

  test('a Raspberry Pi 5 is told that the kernel does not know it', async () => {
    await using board = await plug(6, 'rpi-5-b', '2c:cf:67:00:00:06');
    const loaded = await board.load('short');
    assert.deepEqual([loaded.deviceTree, loaded.arguments], [null, null]);
    const reason = /image of node-000006 has no device tree for rpi-5-b \(bcm2712-rpi-5-b\.dtb\)/;
    assert.match(await platform().journal(), reason);
    // A machine is known as a device a moment after it was heard.
    await until('the reason beside the node', async () => {
      const again = await board.load('short');
      assert.equal(again.config, '', 'what would start it is not there, so that it tries again');
      return reason.test(await platform().root.ok('node', 'show', '--all'));
    });
  });
}

/** Nobody but those who are sent a file waits: a name that does not exist is answered at once. */
function assertAsked({ requests, config }: Loaded, model: string): void {
  assert.match(config ?? '', /^arm_64bit=1$/m);
  const absent = requests.filter(([, size]) => size === null).map(([path]) => path.split('/').at(-1));
  const expected = ['recovery.elf', 'bootcfg.txt', 'overlay_map.dtb', 'armstub8.bin'];
  for (const name of expected) assert.ok(absent.includes(name), `${model}: ${name}`);
}

function size({ requests }: Loaded, path: string): number | null {
  return requests.find(([asked]) => asked === path)?.[1] ?? null;
}
