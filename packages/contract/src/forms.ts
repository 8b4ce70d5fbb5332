/**
 * What names and keys look like, without a schema library: the client, which loads none, checks what a server tells it by the
 * same rules by which the server checks what a client asks.
 */

/** A DNS label (RFC 1123), lower case, two characters at least, a letter first. */
export const NODE_NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;

/** Words that mean something else where a node can be named: sets, the server, places of `node cp`, names of every hosts file. */
const TAKEN: ReadonlySet<string> = new Set([
  ...['my-nodes', 'free-nodes', 'all-nodes', 'all-switches', 'all-devices', 'explorable-switches'],
  ...['server', 'walt', 'default', 'booted-image'],
  ...['localhost', 'localdomain', 'broadcasthost', 'wpad', 'isatap'],
]);
/** `walt-server`, the names of host keys (`walt-node-…`) and what may come; `ip6-localhost` and the like. */
const TAKEN_BEGINNINGS = ['walt-', 'ip6-', 'localhost-'];
/** A hardware address without colons: files of nodes are named so, too. */
const MAC_LIKE = /^[0-9a-f]{2}(?:-?[0-9a-f]{2}){5}$/;

/** True for names that no node may be given: each means something else, or another node. */
export function isReservedNodeName(name: string): boolean {
  return (
    TAKEN.has(name) || TAKEN_BEGINNINGS.some((beginning) => name.startsWith(beginning)) || MAC_LIKE.test(name)
  );
}

/**
 * What a node is called in certificates while it has one owner: its number, which is never used again, and one of that time.
 * Boots of a server before version 11.1 have no second number.
 */
export const HOST_KEY_ALIAS = /^walt-node-[0-9]{1,15}(?:-[0-9a-f]{16})?$/;

/** The one line of known_hosts (sshd(8)) that makes ssh trust nodes, and nothing else. */
export const KNOWN_HOSTS = /^@cert-authority walt-node-\* ssh-ed25519 [A-Za-z0-9+/]{68}\n$/;

/** One line as in `id_ed25519-cert.pub`, without a comment. */
export const USER_CERTIFICATE =
  /^(?:ssh-[a-z0-9]+|ecdsa-sha2-[a-z0-9]+|sk-[a-z0-9-]+)-cert-v01@openssh\.com [A-Za-z0-9+/]{1,32768}={0,2}$/;

/** Name of the file that proves who calls, in the folder `auth` beside the server's socket. */
export const PROOF_FILE = /^[0-9a-f]{32}$/;
/** Its content. */
export const PROOF_NONCE = /^[0-9a-f]{64}$/;
