/** What users, nodes and the platform itself are called. */

/** A login name of the server's operating system. */
export const USER_NAME = /^[A-Za-z_][A-Za-z0-9._-]{0,31}$/;

/** A group of the server's operating system, whatever gives it: a directory's may have blanks. */
export const GROUP_NAME = /^[^@:,/\p{Cc}\s-][^@:,/\p{Cc}]{0,254}$/u;

/** Logins and groups that one node or image may be shared with. */
export const MAX_GUESTS = 256;

/** Owner of the images that belong to nobody: a node that boots one of them is free. */
export const PLATFORM_OWNER = 'waltplatform';

/** Stands in a link where a registry's label could: this platform itself. */
export const PLATFORM_LABEL = 'walt';

/** Where an image for a node is named: the free default image of its model. */
export const DEFAULT_IMAGE = 'default';

/** Where a place for a copy is named: the image that the node boots. */
export const BOOTED_IMAGE = 'booted-image';

/** A DNS label (RFC 1123), lower case, two characters at least, a letter first. */
export const NODE_NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/** Words that mean several nodes, where a set of nodes is asked for. */
export const NODE_SETS = ['my-nodes', 'free-nodes', 'all-nodes'] as const;
export type NodeSet = (typeof NODE_SETS)[number];

/** 48-bit hardware address, lower case, colons. */
export const MAC_ADDRESS = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/** Words that mean something else where a node can be named: sets, the server, places of `node cp`, names of every hosts file. */
const TAKEN: ReadonlySet<string> = new Set([
  ...NODE_SETS,
  ...['all-switches', 'all-devices', 'explorable-switches'],
  ...['server', PLATFORM_LABEL, DEFAULT_IMAGE, BOOTED_IMAGE],
  ...['localhost', 'localdomain', 'broadcasthost', 'wpad', 'isatap'],
]);
/** `walt-server`, the names of host keys (`walt-node-…`) and what may come; devices without a name; `ip6-localhost` and the like. */
const TAKEN_BEGINNINGS = ['walt-', 'unknown-', 'ip6-', 'localhost-'];
/** A hardware address without colons: files of nodes are named so, too. */
const MAC_LIKE = /^[0-9a-f]{2}(?:-?[0-9a-f]{2}){5}$/;

/** True for names that no node may be given: each means something else, or another node. */
export function isReservedNodeName(name: string): boolean {
  return (
    TAKEN.has(name) || TAKEN_BEGINNINGS.some((beginning) => name.startsWith(beginning)) || MAC_LIKE.test(name)
  );
}
