import type { BootTarget, NodeDirectory } from './directory.ts';

/** A complete boot target, for tests: 10.73.0.2 boots an image of two layers. */
export const exampleTarget: BootTarget = {
  nodeId: 7,
  mac: '52:54:00:00:00:07',
  ip: '10.73.0.2',
  prefix: 16,
  name: 'vnode1',
  server: '10.73.0.1',
  volumeServer: '10.73.0.1',
  proofs: [],
  nat: false,
  logs: [],
  digest: `sha256:${'d'.repeat(64)}`,
  layers: [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`],
  bootPlan: 'volumes',
  size: 4096,
  model: 'pc-x86-64',
  isVirtual: true,
  disk: 'none',
  generation: 3,
  token: 'Zm9vYmFy',
  persist: 12,
  delay: 0,
  platformVolume: 'platform-0123456789abcdef.erofs',
  identity: {
    hostKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
    hostCertificate: 'ssh-ed25519-cert-v01@openssh.com AAAA',
    userCa: 'ssh-ed25519 AAAA walt',
    principal: 'walt-node-7',
  },
};

/** A directory that knows one node, at 127.0.0.1, which boots nothing new. */
export function exampleDirectory(target: BootTarget): NodeDirectory {
  return {
    async seen() {
      return undefined;
    },
    async beginBoot() {
      return undefined;
    },
    async mayKexec() {
      return undefined;
    },
    async withoutKexec() {},
    async glance() {
      return undefined;
    },
    async waits() {},
    async currentBoot(ip) {
      return ip === '127.0.0.1' ? target : undefined;
    },
    async poll() {
      return 'stay';
    },
    asked() {},
    async recognize() {},
    reached() {},
    async disproved() {},
    pluggedInto() {},
    async failed() {
      return undefined;
    },
  };
}
