/**
 * Folder `ssh/`: what OpenSSH needs to reach nodes, and how it is run.
 *
 * This file gets it ready for some nodes: key, certificate, host authority, configuration.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AbortError } from '@walt/client/errors';
import { placeEnvironment, usualPlace } from '@walt/client/place';
import type { Client, Node } from '@walt/contract';
import { NODE_NAME } from '@walt/contract/values/names';
import { HOST_KEY_ALIAS, KNOWN_HOSTS, MAX_PRINCIPALS, USER_CERTIFICATE } from '@walt/contract/values/proofs';
import { launcher } from '../checkout.ts';
import { waitForNodes } from '../nodes/node-wait.ts';
import { conjugate, nameList } from '../terminal/human.ts';
import { renderNodeConfig, renderOwnConfig, type Walt } from './config.ts';
import { type SshFiles, sshFiles } from './files.ts';
import { ensureKey } from './key.ts';

export function thisWalt(): Walt {
  return { launcher: launcher(), environment: placeEnvironment(usualPlace()) };
}

/**
 * Waits until the nodes of the set have booted, and answers them; ssh can reach them now with `-F sshFiles().config`. Throws before
 * it waits when the user may not enter one of them, or when one of several is a machine that is off.
 */
export async function reachNodes(client: Client, set: string): Promise<[Node, ...Node[]]> {
  const [first, ...others] = await client.node.list({ set });
  if (first === undefined) {
    throw new AbortError(
      'NOT_FOUND',
      `There is no node in ${set}.`,
      '`walt node show --all` lists all nodes.',
    );
  }
  const nodes: [Node, ...Node[]] = [first, ...others];
  const names = nodes.map(({ name }) => name);
  await certifyNodes(client, names);
  if (others.length > 0) refuseOff(nodes);
  if (nodes.some((node) => node.state !== 'booted')) {
    await waitForNodes(client, names.join(','));
    // The certificates may have run out in the meantime.
    await certifyNodes(client, names);
  }
  return nodes;
}

/** A virtual node that is off starts by itself. */
function refuseOff(nodes: readonly Node[]): void {
  const off = nodes
    .filter(({ state, type }) => state === 'off' && type === 'physical')
    .map(({ name }) => name);
  if (off.length === 0) return;
  throw new AbortError(
    'UNAVAILABLE',
    `${nameList(off)} ${conjugate(off, 'is', 'are')} off.`,
    'Switch them on first, or leave them out: `--where state!=off`. Nothing was done.',
  );
}

/** As `reachNodes` for exactly one node. Throws INVALID when the name is a set of several. */
export async function reachNode(client: Client, name: string): Promise<Node> {
  const [node, ...more] = await reachNodes(client, name);
  if (more.length === 0) return node;
  throw new AbortError(
    'INVALID',
    `${name} means ${more.length + 1} nodes, and this command takes one.`,
    '`walt node run SET COMMAND` works on several.',
  );
}

/** Writes fresh certificates, the authority and the configuration. */
export async function certifyNodes(client: Client, names: readonly string[]): Promise<SshFiles> {
  const files = sshFiles();
  for (const name of names) checked(name, NODE_NAME, 'the name of a node');
  const publicKey = await ensureKey(files);
  await mkdir(files.nodes, { recursive: true, mode: 0o700 });
  for (let start = 0; start < names.length; start += MAX_PRINCIPALS) {
    const nodes = names.slice(start, start + MAX_PRINCIPALS);
    const answer = await client.access.certify({ publicKey, nodes });
    await replaceFile(files.knownHosts, checked(answer.knownHosts, KNOWN_HOSTS, 'known hosts'));
    await Promise.all(
      nodes.map(async (node) => {
        const alias = checked(answer.hostKeyAliases[node], HOST_KEY_ALIAS, 'the name of a host key');
        const certificate = join(files.nodes, `${node}-cert.pub`);
        await replaceFile(certificate, `${checked(answer.certificate, USER_CERTIFICATE, 'a certificate')}\n`);
        await replaceFile(join(files.nodes, `${node}.conf`), renderNodeConfig(node, alias, certificate));
      }),
    );
  }
  await replaceFile(files.config, renderOwnConfig(files, thisWalt()));
  return files;
}

/**
 * What becomes a name of a file, or a word of OpenSSH's configuration, by the contract's rules: a line more in it would run
 * commands. Throws AbortError.
 */
export function checked(text: string | undefined, form: RegExp, what: string): string {
  if (text !== undefined && form.test(text)) return text;
  throw new AbortError(
    'INVALID',
    `This is not ${what}: ${JSON.stringify(text)}.`,
    'Use a walt client of the same version as the server, and a server that you trust.',
  );
}

/** Other ssh may read these files at any moment: they see the old content or the new. */
async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}-${path.slice(dirname(path).length + 1)}`);
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, path);
}
