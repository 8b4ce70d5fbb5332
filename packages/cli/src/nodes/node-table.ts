/**
 * Folder `nodes/`: what the node commands do and show.
 *
 * This file: `walt node show`, one table per kind of owner, and what the user may want to know next.
 */
import type { Node } from '@walt/contract';
import { noteLines } from '../devices/device-table.ts';
import type { Paint } from '../terminal/style.ts';
import { type Column, renderTable } from '../terminal/table.ts';
import { visibleName } from '../terminal/visible.ts';

interface View {
  /** Who asks. */
  user: string;
  /** All nodes were asked for, not only the user's. */
  all: boolean;
  /** Some were left out by conditions. */
  chosen: boolean;
  paint: Paint;
}

export function renderNodes(nodes: readonly Node[], { user, all, chosen, paint }: View): string {
  if (chosen && nodes.length === 0) return 'No node meets these conditions.\n';
  const own = nodes.filter((node) => node.owner === user);
  const free = nodes.filter((node) => node.owner === null);
  const others = nodes.filter((node) => node.owner !== null && node.owner !== user);
  const columns = columnsFor(nodes, paint);
  const parts = own.length === 0 && chosen ? [] : [ownPart(own, columns, paint)];
  if (free.length > 0) parts.push(part('Free nodes', free, columns, paint));
  if (others.length > 0) {
    const owner: Column<Node> = { header: 'OWNER', value: (node) => node.owner ?? '' };
    parts.push(part('Nodes of others', others, [...columns.slice(0, 1), owner, ...columns.slice(1)], paint));
  }
  parts.push(...noteLines(nodes, paint), ...footnotes(nodes, { all, user }));
  return parts.join('\n');
}

function ownPart(own: readonly Node[], columns: readonly Column<Node>[], paint: Paint): string {
  if (own.length > 0) return part('Your nodes', own, columns, paint);
  return 'You do not own any node yet: `walt node create NAME` makes a virtual one.\n';
}

function part(title: string, nodes: readonly Node[], columns: readonly Column<Node>[], paint: Paint): string {
  return `${paint(title, 'bold', 'cyan')}\n\n${renderTable(nodes, columns, paint)}`;
}

/** Who has only virtual nodes is not told of their power, who has no disk for it not of boot modes, nor of hosts where there is one. */
function columnsFor(nodes: readonly Node[], paint: Paint): Column<Node>[] {
  const power: Column<Node> = { header: 'POWER', value: (node) => renderPower(node) };
  const mode: Column<Node> = { header: 'BOOT MODE', value: (node) => renderMode(node) };
  const host: Column<Node> = { header: 'HOST', value: (node) => node.host ?? '' };
  return [
    { header: 'NAME', value: (node) => node.name },
    { header: 'STATE', value: (node) => renderState(node, paint) },
    { header: 'IMAGE', value: (node) => node.image },
    { header: 'ADDRESS', value: (node) => node.ip },
    { header: 'ARCH', value: (node) => node.architecture },
    { header: 'MODEL', value: (node) => node.model },
    { header: 'TYPE', value: (node) => node.type },
    ...(nodes.some(({ type }) => type === 'physical') ? [power] : []),
    ...(nodes.some(({ hybridDisk }) => hybridDisk !== null) ? [mode] : []),
    ...(nodes.some(({ host }) => host !== null) ? [host] : []),
  ];
}

function renderPower({ power: { source, state } }: Node): string {
  return state === null || source === null ? (source ?? '') : `${source} (${state})`;
}

/** Of a node that has no disk for it, nobody expects anything but the network. */
function renderMode({ bootMode, hybridDisk }: Node): string {
  if (bootMode === null || hybridDisk === null) return '';
  return hybridDisk === 'complete' ? bootMode : `${bootMode} (disk: ${hybridDisk})`;
}

const STATE_COLOURS = {
  booted: 'green',
  booting: 'yellow',
  unreachable: 'red',
  failed: 'red',
  off: 'dim',
} as const;

function renderState(node: Node, paint: Paint): string {
  const step = node.state === 'booting' && node.boot?.step ? ` (${node.boot.step})` : '';
  return paint(`${node.state}${step}${isOutdated(node) ? ' *' : ''}`, STATE_COLOURS[node.state]);
}

function isOutdated(node: Node): boolean {
  return node.state === 'booted' && !node.current;
}

function about(name: string, message: string): string {
  return message.startsWith(`${name} `) ? message : `${name}: ${message}`;
}

/** Each line of its console begins with a bar: what a machine printed is not what walt says. */
function troubleText(name: string, { message, hint, console }: NonNullable<Node['trouble']>): string {
  const printed = console.map((line) => `  | ${visibleName(line)}\n`).join('');
  return `${about(name, visibleName(message))}\n${printed}  → ${hint}\n`;
}

/** Why it does not become what it should be: one text, or none. */
export function troubleLines({ name, trouble }: Pick<Node, 'name' | 'trouble'>): string[] {
  return trouble === null ? [] : [troubleText(name, trouble)];
}

function footnotes(nodes: readonly Node[], { all, user }: { all: boolean; user: string }): string[] {
  const notes = nodes.flatMap((node) => [
    ...troubleLines(node),
    ...node.notes.map(({ text }) => `${about(node.name, text)}\n`),
  ]);
  if (nodes.some(isOutdated)) {
    notes.push('* Its image changed since it booted: `walt node reboot NODE` brings the change.\n');
  }
  if (!all) notes.push('`walt node show --all` also lists free nodes and those of others.\n');
  else if (nodes.some((node) => node.owner !== user)) {
    notes.push('`walt node acquire NODE` makes a free node yours; see `walt help show node-ownership`.\n');
  }
  return notes;
}
