/** Where the client keeps what OpenSSH needs. */
import { join } from 'node:path';
import { configFolder, serverFolder } from '@walt/client/paths';
import { placeName, usualPlace } from '@walt/client/place';

export interface SshFiles {
  /** The user's own key, for all servers. */
  privateKey: string;
  publicKey: string;
  /** Passed to ssh by `-F`. */
  config: string;
  /** The authority that signs nodes' host keys. */
  knownHosts: string;
  /** Per node: `NAME-cert.pub` and `NAME.conf`. */
  nodes: string;
  /** Host keys of devices that are no nodes: a file for each, named by its hardware address. */
  devices: string;
}

export function sshFiles(): SshFiles {
  const server = join(serverFolder(placeName(usualPlace())), 'ssh');
  return {
    privateKey: join(configFolder(), 'id_ed25519'),
    publicKey: join(configFolder(), 'id_ed25519.pub'),
    config: join(server, 'config'),
    knownHosts: join(server, 'known_hosts'),
    nodes: join(server, 'nodes'),
    devices: join(server, 'devices'),
  };
}

/** What users append to a node's name where other host names are around. */
export const HOST_SUFFIX = '.walt';

/** Node name of what was given to ssh: `vnode1` or `vnode1.walt`. */
export function nodeOfHost(host: string): string {
  return host.endsWith(HOST_SUFFIX) ? host.slice(0, -HOST_SUFFIX.length) : host;
}
