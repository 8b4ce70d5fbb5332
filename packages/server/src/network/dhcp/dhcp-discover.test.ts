import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discoverFrame, echoFrame, readAnswer, readEcho } from './dhcp-discover.ts';

it('discoverFrame writes what RFC 2131 wants of a machine without an address', () => {
  const frame = discoverFrame({ mac: '02:00:00:00:00:07', xid: 0x01020304, seconds: 2, pxe: false });
  const hex = frame.toString('hex');
  // Ethernet: to all, from us, IPv4.
  assert.equal(hex.slice(0, 28), 'ffffffffffff' + '020000000007' + '0800');
  // IPv4: 20 bytes of head and 308 more, one hop of 64, UDP; its checksum is that of RFC 1071, reckoned by hand.
  assert.equal(hex.slice(28, 68), '45000148000000004011' + '79a6' + '00000000' + 'ffffffff');
  // UDP: from 68 to 67, without a checksum.
  assert.equal(hex.slice(68, 84), '0044' + '0043' + '0134' + '0000');
  // A request by Ethernet; xid, seconds, "answer to all".
  assert.equal(hex.slice(84, 108), '01010600' + '01020304' + '0002' + '8000');
  assert.equal(frame.subarray(14 + 28 + 28, 14 + 28 + 34).toString('hex'), '020000000007');
  // Magic cookie, DHCPDISCOVER, what we want to know.
  assert.equal(
    frame
      .subarray(14 + 28 + 236)
      .toString('hex')
      .slice(0, 26),
    '63825363' + '350101' + '3703010336' + 'ff',
  );
  assert.match(
    discoverFrame({ mac: '02:00:00:00:00:07', xid: 1, seconds: 0, pxe: true }).toString('latin1'),
    /PXEClient:Arch:00000:UNDI:002001/,
  );
});

it('an echo is known by its number, and is no answer of a server', () => {
  const frame = echoFrame('02:00:00:00:00:07', 0x01020304);
  assert.equal(frame.subarray(34, 38).toString('hex'), '0044' + '0044');
  const payload = frame.subarray(42);
  assert.equal(readEcho(payload), 0x01020304);
  assert.equal(readAnswer(payload), undefined);
  assert.equal(readEcho(payload.subarray(0, 200)), undefined);
  assert.equal(readEcho(Buffer.alloc(0)), undefined);
});

describe('readAnswer', () => {
  /** An answer with these options after its type. */
  const answer = (type: number, ...options: number[]) => {
    const fixed = Buffer.alloc(240);
    fixed.set([2, 1, 6, 0, 1, 2, 3, 4]);
    fixed.set([99, 130, 83, 99], 236);
    return Buffer.concat([fixed, Buffer.from([53, 1, type, ...options])]);
  };
  const xid = 0x01020304;
  const cases: [what: string, bytes: Buffer, expected: object | undefined][] = [
    ['an offer', answer(2, 54, 4, 192, 0, 2, 1, 255), { xid, server: '192.0.2.1' }],
    ['an acknowledgement', answer(5, 0, 0, 54, 4, 192, 0, 2, 1), { xid, server: '192.0.2.1' }],
    ['a denial without a name', answer(6, 255), { xid, server: undefined }],
    ['what comes after the end', answer(2, 255, 54, 4, 192, 0, 2, 1), { xid, server: undefined }],
    ['a name that is no address', answer(2, 54, 5, 1, 2, 3, 4, 5), { xid, server: undefined }],
    ['an option that is cut off', answer(2, 54, 4, 192, 0), { xid, server: undefined }],
    ['an option without a length', answer(2, 54), { xid, server: undefined }],
    ['what a client says', answer(1, 54, 4, 192, 0, 2, 1), undefined],
    ['no message type', answer(2).fill(255, 240), undefined],
    ['too short', answer(2).subarray(0, 239), undefined],
    ['another cookie', answer(2).fill(0, 236, 240), undefined],
    ['a request', answer(2).fill(1, 0, 1), undefined],
    ['nothing', Buffer.alloc(0), undefined],
  ];
  for (const [what, bytes, expected] of cases)
    it(what, () => {
      assert.deepEqual(readAnswer(bytes), expected);
      if (expected) assert.equal(readEcho(bytes), undefined);
    });
});
