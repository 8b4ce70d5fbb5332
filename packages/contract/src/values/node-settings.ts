/** Settings of nodes: one row for each, from which the server's checks, help, completion and listings follow. */

import { MAX_EXPOSED, parseExposed } from './exposed-ports.ts';
import {
  ANY_HOST,
  isVolumesFrom,
  LEAST_LOADED,
  OWN_HOST,
  PLACEMENT_TAKES,
  parsePlacement,
  VOLUMES_FROM_TAKES,
  WALT_SERVER,
} from './hosts/placement.ts';
import { DISK_TEMPLATES, MAX_DISKS, parseDisks, parseRam } from './machine-sizes.ts';
import { NETWORKS_TAKE, parseNetworks, WALT_NET } from './networks.ts';

/** What server.conf calls a source of power. */
export const POWER_SOURCE = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
/** What a source calls one of those that it has in hand. It may become a word of a command line, so no dash is first. */
export const POWER_PORT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Sources that need no entry in server.conf. */
export const WAKE_ON_LAN = 'wake-on-lan';

/** What images and boards call a kind of hardware. */
const MODEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** In place of a value: the setting is what it is when nobody has set it. */
export const UNSET = 'default';
/** In place of a value: there is none of it. */
export const NO_VALUE = 'none';

export interface NodeSetting {
  /** What it is, in a few words. */
  summary: string;
  /** What it takes: goes on after "must be". */
  takes: string;
  /** Its value while nobody has set it; null: what the node told when it registered. */
  fallback: string | null;
  /** Nodes that have it. */
  of: 'all nodes' | 'physical nodes' | 'virtual nodes';
  /** When a change takes effect. */
  applies: 'at once' | 'with a reboot';
  /** The part of a value for which that is so, where another part applies at once. */
  rebootPart?(value: string): string;
  /** Values that completion offers, besides those that only the server knows. */
  offers: readonly string[];
  /** True for what is well-formed; whether it fits a node, the server knows. */
  accepts(value: string): boolean;
}

const number = (least: number, most: number) => (value: string) =>
  /^(?:0|[1-9]\d{0,8})$/.test(value) && Number(value) >= least && Number(value) <= most;
const anyTimeout = number(60, 86_400);
const anyDelay = number(0, 3600);

/** In place of a number of seconds: another one at each boot. */
export const RANDOM = 'random';

const yesOrNo = {
  takes: 'true or false',
  offers: ['true', 'false'],
  accepts: (value: string) => value === 'true' || value === 'false',
};

const rows = {
  model: {
    summary: 'the hardware that it is',
    takes: 'a model that this platform knows',
    fallback: null,
    of: 'physical nodes',
    applies: 'with a reboot',
    offers: [],
    accepts: (value) => MODEL.test(value),
  },
  power: {
    summary: 'who can switch it on and off',
    takes: `${NO_VALUE}, ${WAKE_ON_LAN}, or a source of server.conf as NAME or NAME:PORT`,
    fallback: NO_VALUE,
    of: 'physical nodes',
    applies: 'at once',
    offers: [NO_VALUE, WAKE_ON_LAN],
    accepts: (value) => parsePower(value) !== undefined,
  },
  netsetup: {
    summary: 'whether it reaches what the server reaches (NAT), or walt-net alone (LAN)',
    takes: 'NAT or LAN',
    fallback: 'LAN',
    of: 'all nodes',
    applies: 'with a reboot',
    offers: ['NAT', 'LAN'],
    accepts: (value) => value === 'NAT' || value === 'LAN',
  },
  expose: {
    summary: 'its ports to which ports of the server machine lead',
    takes: `${NO_VALUE}, or up to ${MAX_EXPOSED} pairs as 80:8080,443:8443: the port of the node, then that of the server`,
    fallback: NO_VALUE,
    of: 'all nodes',
    applies: 'at once',
    offers: [NO_VALUE],
    accepts: (value) => parseExposed(value) !== undefined,
  },
  'cpu.cores': {
    summary: 'its CPU cores',
    takes: 'a whole number from 1 to 64',
    fallback: '2',
    of: 'virtual nodes',
    applies: 'with a reboot',
    offers: [],
    accepts: number(1, 64),
  },
  ram: {
    summary: 'its memory, which holds what it writes to its root, too',
    takes: 'a size from 128M to 1024G',
    fallback: '1G',
    of: 'virtual nodes',
    applies: 'with a reboot',
    offers: [],
    accepts: (value) => parseRam(value) !== undefined,
  },
  disks: {
    summary: 'its disks',
    takes:
      `${NO_VALUE}, or up to ${MAX_DISKS} sizes as 32G,1T; with [template=${DISK_TEMPLATES.join('|')}] behind a size, ` +
      'which is 2T at most then',
    fallback: NO_VALUE,
    of: 'virtual nodes',
    applies: 'with a reboot',
    offers: [NO_VALUE],
    accepts: (value) => parseDisks(value) !== undefined,
  },
  networks: {
    summary:
      'the networks that it is on, with an adapter for each; what it is sent may be slowed down (bw), and delayed (lat)',
    takes: NETWORKS_TAKE,
    fallback: WALT_NET,
    of: 'virtual nodes',
    applies: 'with a reboot',
    rebootPart: (value) => JSON.stringify(parseNetworks(value)?.map(({ name }) => name)),
    offers: [WALT_NET],
    accepts: (value) => parseNetworks(value) !== undefined,
  },
  host: {
    summary: 'the machine that it runs on, where the platform has several',
    takes: PLACEMENT_TAKES,
    fallback: ANY_HOST,
    of: 'virtual nodes',
    applies: 'with a reboot',
    offers: [ANY_HOST],
    accepts: (value) => parsePlacement(value) !== undefined,
  },
  'boot.delay': {
    summary: 'seconds that its boot waits, so that many do not load at once',
    takes: `${RANDOM} (1 to 10), or a whole number from 0 to 3600`,
    fallback: '0',
    of: 'virtual nodes',
    applies: 'at once',
    offers: [RANDOM],
    accepts: (value) => value === RANDOM || anyDelay(value),
  },
  'boot.timeout': {
    summary: 'seconds for each step of a boot, before its power is cut and given back',
    takes: `${NO_VALUE}, or a whole number from 60 to 86400`,
    fallback: '180',
    of: 'all nodes',
    applies: 'at once',
    offers: [NO_VALUE],
    accepts: (value) => value === NO_VALUE || anyTimeout(value),
  },
  'boot.retries': {
    summary: 'how often that is done',
    takes: 'a whole number from 0 to 1000',
    fallback: '9',
    of: 'all nodes',
    applies: 'at once',
    offers: [],
    accepts: number(0, 1000),
  },
  'volumes.from': {
    summary:
      'which machine serves its volumes, where hosts keep copies; where it has not all of them, the server does',
    takes: VOLUMES_FROM_TAKES,
    fallback: OWN_HOST,
    of: 'all nodes',
    applies: 'with a reboot',
    offers: [OWN_HOST, WALT_SERVER, LEAST_LOADED],
    accepts: isVolumesFrom,
  },
  'kexec.allow': {
    summary:
      'whether a reboot that is ordered may leave out its firmware: its kernel starts the next one (kexec)',
    fallback: 'true',
    of: 'physical nodes',
    applies: 'at once',
    ...yesOrNo,
  },
  'mount.persist': {
    summary: 'whether it has its folder /persist on the server',
    fallback: 'true',
    of: 'all nodes',
    applies: 'with a reboot',
    ...yesOrNo,
  },
  'logs.console': {
    summary: 'whether the lines that its console prints are kept, as stream console of its logs',
    fallback: 'true',
    of: 'all nodes',
    applies: 'at once',
    ...yesOrNo,
  },
  'logs.journal': {
    summary: "whether what its system's journal (journald) has is stream journal of its logs",
    fallback: 'false',
    of: 'all nodes',
    applies: 'with a reboot',
    ...yesOrNo,
  },
  'logs.netconsole': {
    summary: 'whether its kernel sends its messages, as stream netconsole of its logs',
    fallback: 'false',
    of: 'all nodes',
    applies: 'with a reboot',
    ...yesOrNo,
  },
} satisfies Record<string, NodeSetting>;

export type SettingName = keyof typeof rows;
export const NODE_SETTINGS: Readonly<Record<SettingName, NodeSetting>> = rows;
export const SETTING_NAMES = Object.keys(rows) as SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(rows, name);
}

/** The source that a value of `power` names, and which of those that it has in hand. Undefined: it is no such value. */
export function parsePower(value: string): { source: string; port: string | undefined } | undefined {
  const [source = '', ...rest] = value.split(':');
  const port = rest.length === 0 ? undefined : rest.join(':');
  if (!POWER_SOURCE.test(source) || (port !== undefined && !POWER_PORT.test(port))) return undefined;
  return { source, port };
}
