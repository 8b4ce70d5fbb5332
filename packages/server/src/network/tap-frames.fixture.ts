/** For tests: what a node may send, and what it may not, as bytes. */
import { arp, dhcp, ethernet, hex, icmpv6, ipv4, ipv6, udp } from './frames.fixture.ts';

export const MINE = { mac: '52:54:00:12:34:56', ip: '10.99.0.2' };
export const OTHER = { mac: '52:54:00:ab:cd:ef', ip: '10.99.0.3' };
const SERVER = '10.99.0.1';
const ALL = '255.255.255.255';
/** fe80::5054:ff:fe12:3456 and fe80::5054:ff:feab:cdef, by RFC 4291. */
export const MINE6 = 'fe80000000000000505400fffe123456';
const OTHER6 = 'fe80000000000000505400fffeabcdef';
const NONE6 = '0'.repeat(32);
const NODES6 = 'ff020000000000000000000000000001';
const data = udp(4000, 4000, Buffer.from('data'));
export const frame = (type: number, payload: Buffer, from = MINE.mac) => ethernet(from, type, payload);

export const pass: [what: string, frame: Buffer][] = [
  ['IPv4', frame(0x0800, ipv4(MINE.ip, OTHER.ip, 17, data))],
  ['IPv4 to all', frame(0x0800, ipv4(MINE.ip, '10.99.0.255', 17, data))],
  ['a later fragment', frame(0x0800, ipv4(MINE.ip, OTHER.ip, 17, data, 100))],
  ['an ARP request', frame(0x0806, arp(MINE.mac, MINE.ip, SERVER))],
  ['an ARP answer', frame(0x0806, arp(MINE.mac, MINE.ip, SERVER, 2))],
  ['an ARP question whether its address is free', frame(0x0806, arp(MINE.mac, '0.0.0.0', MINE.ip))],
  ['its first DHCP request', frame(0x0800, ipv4('0.0.0.0', ALL, 17, udp(68, 67, dhcp(MINE.mac))))],
  ['a later DHCP request', frame(0x0800, ipv4(MINE.ip, SERVER, 17, udp(68, 67, dhcp(MINE.mac))))],
  ['a question for a router', frame(0x86dd, ipv6(MINE6, NODES6, 58, icmpv6(133)))],
  ['a question for a router before it has an address', frame(0x86dd, ipv6(NONE6, NODES6, 58, icmpv6(133)))],
  ['a question whether its IPv6 address is free', frame(0x86dd, ipv6(NONE6, NODES6, 58, icmpv6(135, MINE6)))],
  ['the news of its IPv6 address', frame(0x86dd, ipv6(MINE6, NODES6, 58, icmpv6(136, MINE6)))],
  ['IPv6 between neighbours', frame(0x86dd, ipv6(MINE6, OTHER6, 17, data))],
];

export const drop: [what: string, frame: Buffer][] = [
  ['the hardware address of another', frame(0x0800, ipv4(MINE.ip, OTHER.ip, 17, data), OTHER.mac)],
  ['both addresses of another', frame(0x0800, ipv4(OTHER.ip, SERVER, 17, data), OTHER.mac)],
  ['the address of another', frame(0x0800, ipv4(OTHER.ip, SERVER, 17, data))],
  ['the address of the server', frame(0x0800, ipv4(SERVER, OTHER.ip, 17, data))],
  ['an address of nowhere', frame(0x0800, ipv4('192.0.2.7', SERVER, 17, data))],
  ['a fragment of another', frame(0x0800, ipv4(OTHER.ip, SERVER, 17, data, 100))],
  ['no address, and no DHCP', frame(0x0800, ipv4('0.0.0.0', ALL, 17, data))],
  ['an ARP answer for another', frame(0x0806, arp(MINE.mac, OTHER.ip, SERVER, 2))],
  ['an ARP answer for the server', frame(0x0806, arp(MINE.mac, SERVER, OTHER.ip, 2))],
  ['an ARP answer that puts its address elsewhere', frame(0x0806, arp(OTHER.mac, MINE.ip, SERVER, 2))],
  ['RARP', frame(0x8035, arp(MINE.mac, OTHER.ip, SERVER, 3))],
  ['a DHCP request for another', frame(0x0800, ipv4('0.0.0.0', ALL, 17, udp(68, 67, dhcp(OTHER.mac))))],
  [
    'a later DHCP request for another',
    frame(0x0800, ipv4(MINE.ip, SERVER, 17, udp(68, 67, dhcp(OTHER.mac)))),
  ],
  [
    'a DHCP request whose second half is to follow',
    frame(0x0800, ipv4(MINE.ip, SERVER, 17, udp(68, 67, dhcp(OTHER.mac)).subarray(0, 16), 0x2000)),
  ],
  ['a DHCP answer', frame(0x0800, ipv4(MINE.ip, ALL, 17, udp(67, 68, dhcp(OTHER.mac, 2))))],
  ['a VLAN tag', frame(0x8100, Buffer.concat([hex('00010800'), ipv4(OTHER.ip, SERVER, 17, data)]))],
  [
    'a VLAN tag before its own address',
    frame(0x8100, Buffer.concat([hex('00010800'), ipv4(MINE.ip, SERVER, 17, data)])),
  ],
  [
    'two VLAN tags',
    frame(0x88a8, Buffer.concat([hex('000181000002'), hex('0800'), ipv4(OTHER.ip, SERVER, 17, data)])),
  ],
  ['a spanning tree’s word', frame(38, hex('424203000000000000'))],
  ['PPPoE', frame(0x8864, Buffer.concat([hex('110000010020 0021'), ipv4(OTHER.ip, SERVER, 17, data)]))],
  ['the IPv6 address of another', frame(0x86dd, ipv6(OTHER6, NODES6, 17, data))],
  ['a global IPv6 address', frame(0x86dd, ipv6('20010db8000000000000000000000001', NODES6, 17, data))],
  ['the word of a router', frame(0x86dd, ipv6(MINE6, NODES6, 58, icmpv6(134)))],
  ['a redirect', frame(0x86dd, ipv6(MINE6, NODES6, 58, icmpv6(137, OTHER6)))],
  ['the news of another’s IPv6 address', frame(0x86dd, ipv6(MINE6, NODES6, 58, icmpv6(136, OTHER6)))],
  ['a claim to another’s IPv6 address', frame(0x86dd, ipv6(NONE6, NODES6, 58, icmpv6(135, OTHER6)))],
  [
    'the word of a router behind another header',
    frame(0x86dd, ipv6(MINE6, NODES6, 0, Buffer.concat([hex('3a00010400000000'), icmpv6(134)]))),
  ],
  ['half an address', ethernet(MINE.mac, 0x0800, hex('45')).subarray(0, 24)],
  ['nothing', ethernet(MINE.mac, 0x0800).subarray(0, 14)],
];
