import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNetconsole } from './netconsole.ts';

const NOW = 1_790_000_000_000_000;

// Those with a head are of the kernel's own document, or as kernels of 4.4 and later send them.
const cases: [datagram: string, lines: string[]][] = [
  ['usb 1-1: new high-speed USB device\n', ['usb 1-1: new high-speed USB device']],
  ['[   12.345678] eth0: link down\n', ['[   12.345678] eth0: link down']],
  ['one\ntwo\n\nthree', ['one', 'two', 'three']],
  ['6,444,501151268,-;netconsole: network logging started\n', ['netconsole: network logging started']],
  ['6.4.0,6,444,501151268,-;netconsole: network logging started\n', ['netconsole: network logging started']],
  ['6.1.0-30-amd64,4,1,2,c;more\n', ['more']],
  ['12,891,98765432,-;hello\n SUBSYSTEM=net\n DEVICE=n2\n', ['hello', ' SUBSYSTEM=net', ' DEVICE=n2']],
  ['6,416,1758426,-,ncfrag=0/33;the first chunk,', ['the first chunk,']],
  ['6,416,1758426,-,ncfrag=16/33; the 2nd chunk.', [' the 2nd chunk.']],
  ['13,7,1,-,caller=T1234;who\n', ['who']],
  // No heads.
  ['6,444;text', ['6,444;text']],
  ['a,b,c,-;text', ['a,b,c,-;text']],
  ['\n\n', []],
  ['', []],
];

for (const [datagram, lines] of cases) {
  test(JSON.stringify(datagram), () => {
    const message = readNetconsole(Buffer.from(datagram), NOW);
    assert.deepEqual(
      { ...message, lines: message.lines.map(String) },
      { stream: 'netconsole', time: NOW, lines },
    );
  });
}

test('bytes stay as they are', () => {
  const bytes = Buffer.from([0x1b, 0x5b, 0xff, 0x00, 0x0a]);
  assert.deepEqual(readNetconsole(bytes, NOW).lines, [bytes.subarray(0, 4)]);
});

test('a long head takes no time', () => {
  const bytes = Buffer.from(`${'1,'.repeat(32_000)};`);
  assert.equal(readNetconsole(bytes, NOW).lines[0]?.length, bytes.length);
});
