import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exampleTarget } from '../example-target.ts';
import { argumentsText, configText, firmwareFile } from './raspberry.ts';

describe('firmware asks for', () => {
  const rows: [path: string, file: string | undefined][] = [
    ['bootcode.bin', 'bootcode.bin'],
    ['d9780558/start4.elf', 'start4.elf'],
    ['10000000d9780558/start4.elf', 'start4.elf'],
    ['dc-a6-32-01-36-c2/start4.elf', 'start4.elf'],
    ['d9780558/bcm2711-rpi-4-b.dtb', 'bcm2711-rpi-4-b.dtb'],
    // Nobody has these.
    ['d9780558/overlays/overlay_map.dtb', undefined],
    ['D9780558/start4.elf', undefined],
    ['d978055/start4.elf', undefined],
    ['dc-a6-32-01-36/start4.elf', undefined],
    ['d9780558/../start4.elf', undefined],
    ['../start4.elf', undefined],
    ['..', undefined],
    ['d9780558/', undefined],
    ['d9780558//start4.elf', undefined],
    ['d9780558/start4.elf\n', undefined],
    ['d978\u001b[2J/start4.elf', undefined],
    ['', undefined],
  ];
  for (const [path, file] of rows) {
    test(`${JSON.stringify(path)}: ${file ?? 'nothing'}`, () => assert.equal(firmwareFile(path), file));
  }
});

test('a Raspberry Pi starts a kernel of its image, in the mode of that image', () => {
  assert.match(configText('arm64'), /^arm_64bit=1$/m);
  assert.match(configText('armhf'), /^arm_64bit=0$/m);
  assert.match(configText('arm64'), /^kernel=vmlinuz\ninitramfs initramfs followkernel$/m);
});

test('its kernel prints on its screen and on its wire', () => {
  const line = argumentsText({ ...exampleTarget, model: 'rpi-4-b', isVirtual: false });
  assert.match(line, /^console=tty0 console=ttyS1,115200 quiet /);
  assert.match(line, / walt\.mac=52:54:00:00:00:07\n$/);
});
