/** What proves who somebody is: between a user and the server, and between ssh and nodes. */

/** Name of the file that proves who calls, in `PROOF_FOLDER`. */
export const PROOF_FILE = /^[0-9a-f]{32}$/;
/** Its content. */
export const PROOF_NONCE = /^[0-9a-f]{64}$/;

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

/** Nodes of one certificate: OpenSSH takes no more principals (SSHKEY_CERT_MAX_PRINCIPALS in sshkey.h). */
export const MAX_PRINCIPALS = 256;
