import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Vendors, vendorIn } from './vendors.ts';

const small = Buffer.from(`{
 "000000": "XEROX CORPORATION\\nWEBSTER",
 "0055DA": "IEEE Registration Authority",
 "B827EB": "Raspberry Pi Foundation\\nMitchell Wood House",
 "FFFFFF": "A \\"Quoted\\" Name of More Than Forty-Eight Characters, at Least",
 "0055DA0": "Shinko Technos co.,ltd.\\nOsaka",
 "70B3D5ABC": "Small Maker"
}
`);

const table: [mac: string, vendor: string | undefined][] = [
  ['00:00:00:12:34:56', 'XEROX CORPORATION'],
  ['b8:27:eb:12:34:56', 'Raspberry Pi Foundation'],
  ['ff:ff:ff:12:34:56', 'A "Quoted" Name of More Than Forty-Eight Charact…'],
  ['00:55:da:0f:34:56', 'Shinko Technos co.,ltd.'],
  ['00:55:da:1f:34:56', 'IEEE Registration Authority'],
  ['70:b3:d5:ab:c4:56', 'Small Maker'],
  ['70:b3:d5:ab:d4:56', undefined],
  ['52:54:00:12:34:56', undefined],
];
for (const [mac, vendor] of table) {
  test(`${mac} is of ${vendor ?? 'nobody known'}`, () => assert.equal(vendorIn(small, mac), vendor));
}

test('an empty list knows nobody', () => {
  for (const text of ['', '{}', '{\n}\n'])
    assert.equal(vendorIn(Buffer.from(text), 'b8:27:eb:00:00:00'), undefined);
});

test('the list that is installed has boards of today', async () => {
  const vendors = new Vendors();
  const macs = ['b8:27:eb:00:00:01', '2c:cf:67:00:00:01', '02:00:00:00:00:01'];
  const [found = new Map(), again] = await Promise.all([vendors.of(macs), vendors.of(macs)]);
  assert.deepEqual(again, found);
  assert.match(found.get('b8:27:eb:00:00:01') ?? '', /^Raspberry Pi/);
  assert.match(found.get('2c:cf:67:00:00:01') ?? '', /^Raspberry Pi/);
  assert.equal(found.size, 2);
});
