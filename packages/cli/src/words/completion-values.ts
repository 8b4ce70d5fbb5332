/** Candidates that only the server or the manual know. */
import { type Connection, connect } from '@walt/client/connection';
import { readServers, THIS_MACHINE } from '@walt/client/remote/servers';
import { shortDigest } from '@walt/contract/values/digests';
import { DEFAULT_IMAGE, NODE_SETS, PLATFORM_LABEL } from '@walt/contract/values/names';
import { isNodeField, NODE_FIELDS } from '@walt/contract/values/node-sets';
import { isSettingName, NODE_SETTINGS, SETTING_NAMES, UNSET } from '@walt/contract/values/node-settings';
import { listTopics } from './help/topics.ts';

export type ArgumentKind =
  | 'node'
  | 'node-set'
  | 'device'
  | 'device-setting'
  | 'image'
  | 'bootable-image'
  | 'image-version'
  | 'node-location'
  | 'node-set-location'
  | 'image-location'
  | 'image-link'
  | 'registry'
  | 'server'
  | 'topic'
  | 'setting'
  | 'condition'
  | 'none';

/** Nobody expects a question of ssh behind a keypress, nor to wait. */
function way(): Connection {
  return connect(undefined, { quiet: true });
}

export async function candidatesFor(kind: ArgumentKind, current: string): Promise<string[]> {
  const candidates = await all(kind, current);
  return candidates.filter((candidate) => candidate.startsWith(current) && PLAIN.test(candidate));
}

/**
 * What says nothing to a shell, and is no option: bash puts a candidate into the line as it is, and a server that lies could have
 * commands in it. All that a server calls things by is of these; `!=` stands in conditions.
 */
const PLAIN = /^(?!-)(?:[A-Za-z0-9_.:/@{},=+%^-]|!=)+$/;

async function all(kind: ArgumentKind, current: string): Promise<string[]> {
  switch (kind) {
    case 'node':
      return nodeNames();
    case 'node-set':
      return nodeSets(current, await nodeNames());
    case 'device':
      return (await way().client.device.list()).map(({ name }) => name);
    case 'device-setting':
      return ['type=node', ...(await settings(current))];
    case 'image':
      return imageNames(current);
    case 'bootable-image':
      return [...(await imageNames(current)), DEFAULT_IMAGE];
    case 'image-version':
      return current.includes('@') ? versions(current) : imageNames(current);
    case 'node-location':
      return (await nodeNames()).map((name) => `${name}:`);
    case 'node-set-location':
      return nodeSets(current, await nodeNames()).map((set) => `${set}:`);
    case 'image-location':
      return (await imageNames(current)).map((name) => `${name}:/`);
    case 'image-link':
      return imageLinks();
    case 'registry':
      return registryLabels();
    case 'setting':
      return settings(current);
    case 'condition':
      return conditions(current);
    case 'server':
      return [...readServers().known.keys(), THIS_MACHINE];
    case 'topic':
      return (await listTopics()).map(({ name }) => name);
    case 'none':
      return [];
  }
}

/** Names that are in the set already are not offered again. */
export function nodeSets(current: string, names: readonly string[]): string[] {
  const taken = current.split(',').slice(0, -1);
  const prefix = taken.map((name) => `${name},`).join('');
  return [...names, ...NODE_SETS].filter((name) => !taken.includes(name)).map((name) => `${prefix}${name}`);
}

async function nodeNames(): Promise<string[]> {
  const nodes = await way().client.node.list({ set: 'all-nodes' });
  return nodes.map(({ name }) => name);
}

/** Fields with their sign; behind it, the values that nodes have. */
async function conditions(current: string): Promise<string[]> {
  const [, field = '', sign = ''] = /^([a-z]+)(!?=)/.exec(current) ?? [];
  if (!isNodeField(field)) return Object.keys(NODE_FIELDS).map((name) => `${name}=`);
  const nodes = await way().client.node.list({ set: 'all-nodes' });
  return [...new Set(nodes.map((node) => NODE_FIELDS[field](node)))].map(
    (value) => `${field}${sign}${value}`,
  );
}

/** Names with their sign; behind it, the values that can be told. */
async function settings(current: string): Promise<string[]> {
  const name = current.slice(0, Math.max(0, current.indexOf('=')));
  if (name === '') return SETTING_NAMES.map((setting) => `${setting}=`);
  if (!isSettingName(name)) return [];
  const { fallback, offers } = NODE_SETTINGS[name];
  const { choices } = await way().client.node.settings({ set: 'all-nodes' });
  const known = choices[name] ?? [];
  const values = [...offers, ...known, ...(fallback === null ? [] : [UNSET])];
  return [...new Set(values)].map((value) => `${name}=${value}`);
}

/** One's own by name; others' by `owner/name`, once a slash is typed or nothing of one's own fits. */
async function imageNames(current: string): Promise<string[]> {
  const { client, credentials } = way();
  const images = await client.image.list({ all: true });
  const user = await credentials.user();
  const own = images.filter(({ owner }) => owner === user).map(({ name }) => name);
  const others = images.filter(({ owner }) => owner !== user).map(({ fullName }) => fullName);
  const useOwn = !current.includes('/') && own.some((name) => name.startsWith(current));
  return useOwn ? own : [...own, ...others];
}

/** Versions that can still be had: by number, or by digest once that is begun. */
async function versions(current: string): Promise<string[]> {
  const [image = '', begun = ''] = current.split('@');
  const steps = await way().client.image.log({ image });
  const kept = steps.filter(({ version, kept }) => version !== null && kept);
  const names = kept.map(({ version, digest }) =>
    begun.startsWith('s') ? `${image}@${shortDigest(digest ?? '')}` : `${image}@{${version}}`,
  );
  return [...new Set(names)];
}

/** Others' images as a whole; of registries the beginning only: their images are not asked for at a keypress. */
async function imageLinks(): Promise<string[]> {
  const { client, credentials } = way();
  const [images, user] = [await client.image.list({ all: true }), await credentials.user()];
  const others = images
    .filter(({ owner }) => owner !== user)
    .map(({ fullName }) => `${PLATFORM_LABEL}:${fullName}`);
  return [...others, ...(await registryLabels()).map((label) => `${label}:`)];
}

async function registryLabels(): Promise<string[]> {
  return (await way().client.registry.list()).map(({ label }) => label);
}
