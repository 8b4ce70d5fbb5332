/** What dnsmasq reads and writes (dnsmasq(8)). Pure. */
import { ipv4, macAddress, nodeName } from '@walt/contract';
import * as z from 'zod';
import { firmwarePrefixes, type Loader, loaders, RASPBERRY_CLASS } from '../../models/index.ts';
import { firstOf, type Subnet } from '../subnet.ts';

/** The permanent address and name of a node. */
export interface HostEntry {
  mac: string;
  ip: string;
  name: string;
  /** Whether it may leave walt-net: it is told a router. */
  nat?: boolean;
}

export interface Lease {
  mac: string;
  ip: string;
  /** Unix time in seconds when it ends; 0: never. */
  expires: number;
  hostname: string | null;
}

export interface DnsmasqFiles {
  dhcpHosts: string;
  dnsHosts: string;
  leases: string;
}

export const DOMAIN = 'walt';

/** The server's IPv6 address on walt-net, unique local (RFC 4193). Nodes boot and talk to the server by IPv4 alone. */
export const ROUTER_ADDRESS = 'fd57:616c:7400::1';
/** Marks machines that are told a router. */
const ROUTED = 'routed';
const KNOWN_LEASE = '1d';
const UNKNOWN_LEASE = '1h';
/** Seconds of it. */
export const UNKNOWN_LEASE_SECONDS = 3600;
/**
 * Addresses for machines that nobody knows. Who asks for one when all are taken makes dnsmasq look at each, and for each at all
 * leases: 6 ms for these, 350 ms for the 32 766 of a whole half.
 */
const MOST_UNKNOWN = 2048;

/**
 * What iPXE fetches once it has an address. iPXE itself fills in the fields; `uristring` escapes blanks and the
 * like that a vendor put into his product's name, but not `&`: so these come last. `netX` is the interface that it boots from.
 */
export function bootUrl(server: string): string {
  const fields = {
    mac: 'netX/mac',
    arch: 'buildarch',
    product: 'product:uristring',
    manufacturer: 'manufacturer:uristring',
  };
  const query = Object.entries(fields).map(([name, field]) => `${name}=\${${field}}`);
  return `http://${server}/boot/ipxe?${query.join('&')}`;
}

/** The configuration file; `alone`: no other DHCP server. */
export function renderConfig(options: {
  subnet: Subnet;
  bridge: string;
  files: DnsmasqFiles;
  alone: boolean;
}): string {
  const { subnet, bridge, files, alone } = options;
  const { first, last } = firstOf(subnet.dynamic, MOST_UNKNOWN);
  const lines = [
    'keep-in-foreground',
    'log-facility=-',
    'pid-file=',
    // The state folder may be closed to all but root, and the files below are read again after the start.
    'user=root',
    'group=root',
    `interface=${bridge}`,
    'except-interface=lo',
    'bind-dynamic',
    // Names: ours only. The domain is told to clients by option, not by "domain": dnsmasq then gives no lease a name, and
    // a name that we take out of the hosts file is gone, whatever leases there are.
    'no-resolv',
    'no-poll',
    'no-hosts',
    `local=/${DOMAIN}/`,
    // A bare name is ours too: it does not exist, rather than that we refuse to tell.
    'domain-needed',
    `host-record=server.${DOMAIN},server,${subnet.server}`,
    `addn-hosts=${files.dnsHosts}`,
    // Addresses.
    `dhcp-range=${first},${last},${subnet.netmask},${UNKNOWN_LEASE}`,
    // It then denies addresses that it does not know, also those that another server gave.
    ...(alone ? ['dhcp-authoritative'] : []),
    'dhcp-ignore-names',
    // More than all permanent addresses of the largest subnet: it must never be what refuses a node.
    'dhcp-lease-max=16777216',
    `dhcp-leasefile=${files.leases}`,
    `dhcp-hostsfile=${files.dhcpHosts}`,
    // We alone give out addresses here: a ping before each new one would only cost boot time.
    'no-ping',
    // No way out of walt-net unless a node is given one.
    'dhcp-option=option:router',
    `dhcp-option=tag:${ROUTED},option:router,${subnet.server}`,
    `dhcp-option=option:domain-name,${DOMAIN}`,
    `dhcp-option=option:domain-search,${DOMAIN}`,
    // iPXE says so in its user class; option 175 is its own encapsulated one.
    'dhcp-userclass=set:ipxe,iPXE',
    'dhcp-match=set:ipxe,175',
    `dhcp-boot=tag:ipxe,"${bootUrl(subnet.server)}"`,
    // no-pxedhcp (https://ipxe.org/howto/dhcpd): nobody else will answer, so it need not wait for that.
    'dhcp-option-force=tag:ipxe,encap:175,176,1b',
    // iPXE asks for IPv6 routers and waits 16 s for one before it fetches anything. So one answers: it offers no route
    // (lifetime 0) and a prefix that is deprecated, so that nodes use no address of it.
    'enable-ra',
    `ra-param=${bridge},0,0`,
    'dhcp-range=fd57:616c:7400::,ra-only,deprecated',
    // Without this, each machine on a real segment would take us for its DNS server, and for ever.
    'dhcp-option=option6:dns-server',
    ...loaders.flatMap((loader) => loaderLines(loader, subnet.server)),
    ...raspberryLines(subnet.server),
  ];
  return `${lines.join('\n')}\n`;
}

/** A loader that is a program is for firmware that is no iPXE. */
function loaderLines(loader: Loader, server: string): string[] {
  const { name, file, clientArchitectures = [], httpArchitectures = [], vendorClasses = [], isMade } = loader;
  const http = `${name}-http`;
  return [
    ...vendorClasses.map((beginning) => `dhcp-vendorclass=set:${name},${beginning}`),
    ...clientArchitectures.map((number) => `dhcp-match=set:${name},option:client-arch,${number}`),
    ...httpArchitectures.map((number) => `dhcp-match=set:${http},option:client-arch,${number}`),
    `dhcp-boot=tag:${name},${isMade ? '' : 'tag:!ipxe,'}${file}`,
    ...(httpArchitectures.length === 0
      ? []
      : [
          // Such firmware takes no answer that does not say this of itself (UEFI specification, section 24.7.3.3).
          `dhcp-option-force=tag:${http},tag:!ipxe,option:vendor-class,HTTPClient`,
          `dhcp-boot=tag:${http},tag:!ipxe,http://${server}/${file}`,
        ]),
  ];
}

/**
 * The firmware of a Raspberry Pi takes an offer only if its option 43 has the text "Raspberry Pi Boot": as PXE's boot menu (option 9),
 * with discovery off (6) and a prompt that waits for nobody (10), as Debian's own `pxe-service` has it, which however would put that
 * menu in front of every PC with BIOS PXE. PCs say the same of themselves, so the boards' addresses tell them apart; and those of boards
 * with U-Boot on a card are theirs, too, but U-Boot says something else.
 */
function raspberryLines(server: string): string[] {
  const both = 'tag:raspberry-mac,tag:raspberry-class';
  const menu = Buffer.from('Raspberry Pi Boot');
  const option43 = Buffer.concat([
    Buffer.from([6, 1, 3, 10, 4, 0, ...Buffer.from('PXE'), 9, 3 + menu.length, 0, 0, menu.length]),
    menu,
    Buffer.from([255]),
  ]);
  return [
    ...firmwarePrefixes.map((prefix) => `dhcp-mac=set:raspberry-mac,${prefix}:*:*:*`),
    `dhcp-vendorclass=set:raspberry-class,${RASPBERRY_CLASS}`,
    `dhcp-option-force=${both},60,PXEClient`,
    `dhcp-option-force=${both},43,${option43.toString('hex').replace(/..(?=.)/g, '$&:')}`,
    `dhcp-boot=${both},bootcode.bin,,${server}`,
  ];
}

const hostEntry = z.object({ mac: macAddress, ip: ipv4, name: nodeName, nat: z.boolean().optional() });

/** The file of `dhcp-hostsfile`. Throws when an entry is ill-formed. */
export function renderDhcpHosts(hosts: readonly HostEntry[]): string {
  const lines = hosts.map((host) => {
    const { mac, ip, nat } = hostEntry.parse(host);
    return `${[mac, ...(nat ? [`set:${ROUTED}`] : []), ip, KNOWN_LEASE].join(',')}\n`;
  });
  return lines.join('');
}

/** The file of `addn-hosts`; `marker` is a name that tells whether it was read. */
export function renderDnsHosts(hosts: readonly HostEntry[], marker: string): string {
  const lines = hosts.map((host) => `${host.ip} ${hostEntry.parse(host).name}.${DOMAIN} ${host.name}\n`);
  return [...lines, `0.0.0.0 ${marker}\n`].join('');
}

/** Leases of the lease file: `EXPIRY MAC IP HOSTNAME CLIENT-ID`, `*` for what is unknown. */
export function parseLeases(text: string): Lease[] {
  return text.split('\n').flatMap((line) => {
    const [expires, mac, ip, hostname] = line.split(' ');
    if (mac === undefined || ip === undefined || !macAddress.safeParse(mac).success) return [];
    return [
      {
        mac,
        ip,
        expires: Number(expires) || 0,
        hostname: hostname === undefined || hostname === '*' ? null : hostname,
      },
    ];
  });
}
