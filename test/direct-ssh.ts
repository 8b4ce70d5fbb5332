import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../packages/server/src/platform/index.ts';
import type { Platform } from './platform.ts';

/**
 * A way to run shell lines on a node that does not pass through the server: OpenSSH, from inside the platform's network, with
 * the certificate that the client got before. Throws when the line fails.
 */
export async function direct(platform: Platform, node: string): Promise<(line: string) => Promise<string>> {
  const { root, namespace } = platform;
  const ip = (await platform.node()).find(({ name }) => name === node)?.ip;
  if (ip === undefined) throw new Error(`there is no node ${node}`);
  const folder = Buffer.from(platform.paths.socket).toString('base64url');
  await root.on(node, 'true'); // a fresh certificate
  const config = join(root.home, '.cache', 'walt', `server-${folder}`, 'ssh', 'config');
  await readFile(config);
  const options = [
    '-F',
    config,
    '-o',
    'ProxyCommand=none',
    '-o',
    `HostName=${ip}`,
    '-o',
    'ConnectTimeout=30',
  ];
  return (line) =>
    run(['ip', 'netns', 'exec', namespace, 'ssh', ...options, '--', node, line], {
      env: root.env,
      timeout: 120_000,
    });
}
