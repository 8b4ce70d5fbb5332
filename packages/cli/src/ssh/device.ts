/** How OpenSSH reaches a device that is no node: nobody has signed its host key, nor the user's. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortError } from '@walt/client/errors';
import type { Client, Device } from '@walt/contract';
import { MAC_ADDRESS, NODE_NAME } from '@walt/contract/values/names';
import { checked, thisWalt } from './access.ts';
import { proxyCommand, quoted } from './config.ts';
import { sshFiles } from './files.ts';

/** A login name that no SSH server takes for something else. */
const LOGIN = /^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/;

/** Throws AbortError for what is a node, the server, or nothing. */
export async function reachDevice(client: Client, name: string): Promise<Device & { mac: string }> {
  const devices = await client.device.list();
  const device = devices.find((one) => one.name === name);
  if (!device) {
    throw new AbortError(
      'NOT_FOUND',
      `There is no device named "${name}".`,
      '`walt device show` lists all devices.',
    );
  }
  if (device.type.startsWith('node')) {
    throw new AbortError('INVALID', `${name} is a node.`, `Use \`walt node shell ${name}\`.`);
  }
  if (device.type === 'server' || device.mac === null) {
    throw new AbortError('INVALID', `${name} is the server itself.`, 'Log in to it as you do without WalT.');
  }
  return { ...device, mac: device.mac };
}

/**
 * Arguments of ssh. Keys, agent and settings are the user's own; only the way there, and where its host key is noted, are ours:
 * a file for each network adapter, so that a device which gets another's name or address is not taken for it.
 */
export async function deviceSshArguments(device: Device & { mac: string }, user: string): Promise<string[]> {
  const name = checked(device.name, NODE_NAME, 'the name of a device');
  const mac = checked(device.mac, MAC_ADDRESS, 'a hardware address').replaceAll(':', '-');
  if (!LOGIN.test(user)) {
    throw new AbortError('INVALID', `${JSON.stringify(user)} is no login name.`, 'Pass one with --user.');
  }
  const folder = sshFiles().devices;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const options = [
    `ProxyCommand=${proxyCommand(thisWalt())}`,
    'ControlPath=none',
    `HostKeyAlias=walt-device-${mac}`,
    `UserKnownHostsFile=${quoted(join(folder, mac))}`,
    'GlobalKnownHostsFile=none',
    // ssh tells that it noted the key; one that has changed is refused, with the file and the line to look at.
    'StrictHostKeyChecking=accept-new',
    'CheckHostIP=no',
    'UpdateHostKeys=no',
  ];
  return [...options.flatMap((option) => ['-o', option]), '-l', user, '--', name];
}
