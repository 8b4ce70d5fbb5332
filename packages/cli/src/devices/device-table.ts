/**
 * Folder `devices/`: what `walt device` shows.
 *
 * This file: the tables of `walt device show`: what the platform knows, then what only asked for an address.
 */
import type { Device } from '@walt/contract';
import { humanDate } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { type Column, renderTable } from '../terminal/table.ts';

const UNKNOWN = 'unknown';

export function renderDevices(devices: readonly Device[], paint: Paint): string {
  const known = devices.filter(({ type }) => type !== UNKNOWN);
  const unknown = devices.filter(({ type }) => type === UNKNOWN);
  const parts = [renderTable(known, filled(known, [...names, ...knownColumns]), paint)];
  if (unknown.length > 0) {
    const table = renderTable(unknown, filled(unknown, [...names, ...unknownColumns]), paint);
    parts.push(`${paint('Unknown devices', 'bold', 'cyan')}\n\n${table}`);
    parts.push(
      '`walt device config NAME type=node model=MODEL` makes one a node; see `walt help show unknown-devices`.\n',
    );
  }
  return [...parts, ...noteLines(devices, paint)].join('\n');
}

/** What somebody should know of machines: one text of several lines, or none. */
export function noteLines(devices: readonly Pick<Device, 'name' | 'notes'>[], paint: Paint): string[] {
  const notes = devices.flatMap(({ name, notes }) =>
    notes.map(({ at, text }) => `${paint('!', 'bold', 'red')} ${name}, ${humanDate(at)}: ${text}\n`),
  );
  return notes.length > 0 ? [notes.join('')] : [];
}

const names: readonly Column<Device>[] = [
  { header: 'NAME', value: ({ name }) => name },
  { header: 'ADDRESS', value: ({ ip }) => ip ?? '' },
  { header: 'MAC', value: ({ mac }) => mac ?? '' },
];

const knownColumns: readonly Column<Device>[] = [
  { header: 'TYPE', value: ({ type }) => type },
  { header: 'PORT', value: ({ port }) => port ?? '' },
  {
    header: 'PLUGGED INTO',
    value: ({ neighbour }) => (neighbour ? `${neighbour.mac} port ${neighbour.port}` : ''),
  },
  { header: 'VENDOR', value: ({ vendor }) => vendor ?? '' },
];

const unknownColumns: readonly Column<Device>[] = [
  { header: 'PORT', value: ({ port }) => port ?? '' },
  { header: 'VENDOR', value: ({ vendor }) => vendor ?? '' },
  { header: 'CLASS', value: ({ vendorClass }) => vendorClass ?? '' },
  { header: 'FIRMWARE', value: ({ firmware }) => firmware ?? '' },
  { header: 'HOST NAME', value: ({ hostname }) => hostname ?? '' },
  { header: 'ASKED FOR', value: ({ files }) => files.at(-1) ?? '' },
  { header: 'FIRST', value: ({ first }) => (first === null ? '' : humanDate(first)) },
  { header: 'LAST', value: ({ last }) => (last === null ? '' : humanDate(last)) },
];

/** Without columns in which nothing stands. */
function filled(devices: readonly Device[], columns: readonly Column<Device>[]): Column<Device>[] {
  return columns.filter(({ value }) => devices.some((device) => value(device) !== ''));
}
