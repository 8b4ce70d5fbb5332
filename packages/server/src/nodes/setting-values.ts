/** What settings say of a node, as the rest of the server takes it. */
import {
  type DiskSpec,
  type ExposedPort,
  type NetworkSpec,
  NO_VALUE,
  NODE_SETTINGS,
  type Placement,
  parseDisks,
  parseExposed,
  parseNetworks,
  parsePlacement,
  parseRam,
  RANDOM,
  type SettingName,
} from '@walt/contract';
import { UserError } from '../platform/index.ts';
import type { NodeRow } from './store.ts';

export type Configured = Pick<NodeRow, 'model' | 'settings'>;

/** The value that holds for a node, be it set or not. */
export function settingOf(node: Configured, name: SettingName): string {
  return name === 'model' ? node.model : (node.settings[name] ?? NODE_SETTINGS[name].fallback ?? '');
}

/** Seconds; Infinity: a boot is never retried. */
export function bootTimeout(node: Configured): number {
  const value = settingOf(node, 'boot.timeout');
  return value === NO_VALUE ? Number.POSITIVE_INFINITY : Number(value);
}

export function bootRetries(node: Configured): number {
  return Number(settingOf(node, 'boot.retries'));
}

/** Seconds at most when it is random. */
const RANDOM_DELAY = 10;

/** Seconds that a boot waits, at least and at most. Of a virtual node. */
export function bootDelay(node: Configured): readonly [least: number, most: number] {
  const value = settingOf(node, 'boot.delay');
  return value === RANDOM ? [1, RANDOM_DELAY] : [Number(value), Number(value)];
}

/** Whether its kernel may start the next one. Of a physical node. */
export function allowsKexec(node: Configured): boolean {
  return settingOf(node, 'kexec.allow') === 'true';
}

/** Whether it reaches what the server reaches. */
export function isRouted(node: Configured): boolean {
  return settingOf(node, 'netsetup') === 'NAT';
}

/** None, where only a newer server can have stored what it says. */
export function exposedPorts(node: Configured): ExposedPort[] {
  return parseExposed(settingOf(node, 'expose')) ?? [];
}

export function mountsPersist(node: Configured): boolean {
  return settingOf(node, 'mount.persist') === 'true';
}

/** Whether lines of its console are kept. */
export function logsConsole(node: Configured): boolean {
  return settingOf(node, 'logs.console') === 'true';
}

/** What of its system it logs by itself. */
export function systemLogs(node: Configured): ('journal' | 'netconsole')[] {
  return (['journal', 'netconsole'] as const).filter((name) => settingOf(node, `logs.${name}`) === 'true');
}

/** Of a virtual node; undefined: only a newer server can have stored that. */
export function networksOf(node: Configured): NetworkSpec[] | undefined {
  return parseNetworks(settingOf(node, 'networks'));
}

export interface MachineSize {
  cpuCores: number;
  ramMiB: number;
  disks: readonly DiskSpec[];
  /** Walt-net first: the order of its adapters. */
  networks: readonly NetworkSpec[];
  /** Where it may run. */
  place: Placement;
}

/** Of a virtual node; undefined: only a newer server can have stored that. */
export function knownSize(node: Configured): MachineSize | undefined {
  const ramMiB = parseRam(settingOf(node, 'ram'));
  const disks = parseDisks(settingOf(node, 'disks'));
  const networks = networksOf(node);
  const place = parsePlacement(settingOf(node, 'host'));
  if (ramMiB === undefined || disks === undefined || networks === undefined || place === undefined)
    return undefined;
  return { cpuCores: Number(settingOf(node, 'cpu.cores')), ramMiB, disks, networks, place };
}

/** As `knownSize`. Throws UserError UNAVAILABLE instead. */
export function machineSize(node: Configured): MachineSize {
  const size = knownSize(node);
  if (size) return size;
  const told = (['ram', 'disks', 'networks', 'host'] as const).map(
    (name) => `${name}=${settingOf(node, name)}`,
  );
  throw new UserError(
    'UNAVAILABLE',
    `This server does not know what one of these settings means: ${told.join(' ')}`,
    'A newer server has stored them: install that version again.',
  );
}
