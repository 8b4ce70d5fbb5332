/** What Slurm runs on a host that keeps copies of volumes. Pure. */
import { createHash } from 'node:crypto';
import { volumesServerConfig } from '../../../../network/index.ts';
import { hostFolder, type JobPlace, quoted } from '../job-script.ts';

/** What the volume server of a host is on walt-net. */
export interface VolumePlace {
  ip: string;
  /** By which the WalT server knows it. */
  token: string;
}

export interface VolumeScript {
  script: string;
  /** Tells it from one that is defined otherwise. */
  hash: string;
}

/** Where a host has the copies of a platform. */
export function copiesFile(platform: string): string {
  return `/var/cache/walt-host/${platform}.img`;
}

/** `walt`: the WalT server's address on walt-net, and the length of the subnet's prefix. `program`: walt-net.sh and serve-volumes.sh. */
export function volumeScript(
  { ip, token }: VolumePlace,
  place: Pick<JobPlace, 'platform' | 'server' | 'vxlanPort'>,
  walt: { server: string; prefix: number; cidr: string },
  program: string,
): VolumeScript {
  const here = hostFolder(place.platform, 'volumes');
  const variables = [
    ['platform', place.platform],
    ['id', 'volumes'],
    ['server', place.server],
    ['port', String(place.vxlanPort)],
    ['address', `${ip}/${walt.prefix}`],
    ['mac', macOf(ip)],
    ['walt_server', walt.server],
    ['disk', copiesFile(place.platform)],
    ['token', token],
    [
      'ganesha',
      volumesServerConfig({
        ...{ address: ip, clients: walt.cidr },
        ...{ folder: `${here}/volumes`, recoveryFolder: `${here}/recovery` },
      }),
    ],
  ] as const;
  const body = [...variables.map(([name, value]) => `${name}=${quoted(value)}`), program].join('\n');
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return { hash, script: `#!/bin/bash\nhash=${hash}\n${body}` };
}

/** A hardware address that is the same after each start: nodes remember it. Of those that nobody has (IEEE 802, local). */
function macOf(ip: string): string {
  const bytes = ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '57', ...bytes].join(':');
}
