import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { dhcpRequest } from './dhcp.fixture.ts';
import { parseDhcpRequest } from './dhcp-request.ts';

const MAC = 'b8:27:eb:12:34:56';
const nothing = { hostname: null, vendorClass: null, userClass: null, architecture: null, uuid: null };
const uuid = '00112233445566778899aabbccddeeff';

describe('parseDhcpRequest', () => {
  const table: [what: string, options: [number, Buffer | string][], expected: object][] = [
    ['nothing but the question', [], {}],
    ['a host name', [[12, 'printer']], { hostname: 'printer' }],
    ['a name that ends with NUL', [[12, 'printer\0']], { hostname: 'printer' }],
    ['an empty name', [[12, '']], {}],
    [
      'characters that steer a terminal',
      [[12, 'a\x1b[2Jb\r\n\x7fé']],
      { hostname: 'a\\x1b[2Jb\\x0d\\x0a\\x7f\\xc3\\xa9' },
    ],
    ['a long name', [[12, 'x'.repeat(255)]], { hostname: `${'x'.repeat(128)}…` }],
    [
      'a PC that boots from the network',
      [
        [60, 'PXEClient:Arch:00007:UNDI:003016'],
        [93, Buffer.from([0, 7])],
        [97, Buffer.concat([Buffer.from([0]), Buffer.from(uuid, 'hex')])],
      ],
      { vendorClass: 'PXEClient:Arch:00007:UNDI:003016', architecture: 7, uuid },
    ],
    ['a UUID of zeros', [[97, Buffer.alloc(17)]], {}],
    ['a UUID of another kind', [[97, Buffer.alloc(17, 1)]], {}],
    ['a UUID that is too short', [[97, Buffer.alloc(9)]], {}],
    ['half an architecture', [[93, Buffer.from([0])]], {}],
    ['the user class as iPXE sends it', [[77, 'iPXE']], { userClass: 'iPXE' }],
    ['user classes as the RFC has them', [[77, '\x04iPXE\x03abc']], { userClass: 'iPXE,abc' }],
    [
      'an option in two parts',
      [
        [60, 'PXE'],
        [60, 'Client'],
      ],
      { vendorClass: 'PXEClient' },
    ],
  ];
  for (const [what, options, expected] of table) {
    it(`reads ${what}`, () => {
      assert.deepEqual(parseDhcpRequest(dhcpRequest(MAC, options)), { mac: MAC, ...nothing, ...expected });
    });
  }

  const changed = (change: (packet: Buffer) => void) => {
    const packet = dhcpRequest(MAC);
    change(packet);
    return packet;
  };
  const others: [what: string, packet: Buffer][] = [
    ['an answer', changed((packet) => packet.writeUInt8(2, 0))],
    ['another kind of network', changed((packet) => packet.writeUInt8(6, 1))],
    ['an address of another length', changed((packet) => packet.writeUInt8(16, 2))],
    ['no cookie', changed((packet) => packet.writeUInt8(0, 236))],
    ['a group’s address', dhcpRequest('01:00:5e:00:00:01')],
    ['no address', dhcpRequest('00:00:00:00:00:00')],
    ['a release', dhcpRequest(MAC, [], 7)],
    ['a beginning', dhcpRequest(MAC).subarray(0, 239)],
  ];
  for (const [what, packet] of others) {
    it(`takes no notice of ${what}`, () => assert.equal(parseDhcpRequest(packet), undefined));
  }

  it('gives printable ASCII of bounded length for whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const start = dhcpRequest(MAC).subarray(0, -1);
        const read = parseDhcpRequest(Buffer.concat([start, bytes]));
        for (const text of [read?.hostname, read?.vendorClass, read?.userClass])
          if (text) assert.match(text, /^[\x20-\x7e]{1,128}…?$/);
      }),
    );
  });
});
