/** `walt node show NODE`: nodes told whole. */
import type { DiskState, GuestList, NodeDetails } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { noteLines } from '../devices/device-table.ts';
import { humanDate, humanDuration, humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { visibleName } from '../terminal/visible.ts';
import { guestText } from './guests.ts';
import { renderSetting } from './node-settings.ts';
import { troubleLines } from './node-table.ts';

/** `now`: Unix time in seconds. */
export function renderNodeDetails(nodes: readonly NodeDetails[], now: number, paint: Paint): string {
  return nodes.map((node) => renderNode(node, now, paint)).join('\n');
}

function renderNode(node: NodeDetails, now: number, paint: Paint): string {
  const rows: Row[] = [
    ...standing(node, now),
    ...boots(node),
    ...(node.room ? memory(node.room) : []),
    ['power', power(node)],
    ...node.disks.map(disk),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const facts = rows.map(([label, value]) => `${paint(label.padEnd(width), 'dim')}  ${visibleName(value)}\n`);
  const settings = node.settings.map((setting) => `  ${renderSetting(setting, paint)}\n`);
  const parts = [
    `${paint(visibleName(node.name), 'bold', 'cyan')}\n`,
    facts.join(''),
    `${paint('settings', 'dim')}\n${settings.join('')}`,
    ...noteLines([node], paint),
    ...troubleLines(node),
  ];
  return parts.join('\n');
}

type Row = [label: string, value: string];

/** What it is, whose it is, and how it does. */
function standing(node: NodeDetails, now: number): Row[] {
  const { state, since, owner, bootOwner, type, model, architecture, ip, mac, created } = node;
  const whole = since === null ? state : `${state} since ${humanDate(since)} (${humanDuration(now - since)})`;
  const stays = bootOwner !== null && bootOwner !== owner ? `; ${bootOwner}'s boot still runs there` : '';
  return [
    ['state', whole],
    ...progress(node, now),
    ['used by', (owner === null ? 'everybody: it is free' : users(owner, node.guests)) + stays],
    ['is', `a ${type} ${model} (${architecture})`],
    ...(node.host === null ? [] : [['runs on', node.host] satisfies Row]),
    ...(node.volumesFrom === null ? [] : [['volumes from', node.volumesFrom] satisfies Row]),
    ['address', `${ip}, ${mac}`],
    ['known since', humanDate(created)],
  ];
}

/** How far a boot has come, or had come when it failed. */
function progress({ boot }: NodeDetails, now: number): Row[] {
  if (boot === null) return [];
  const { step, since, attempt } = boot;
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  return [['boot', `${step ?? 'ordered'}, ${humanDuration(now - since)} ago${again}`]];
}

function users(owner: string, guests: GuestList): string {
  const others = { ...guests, users: guests.users.filter((guest) => guest !== owner) };
  const all = [owner, guestText(others)].filter((text) => text !== '').join(', ');
  return `${all} and all administrators`;
}

/** What it runs, and what it would run. */
function boots(node: NodeDetails): Row[] {
  const { name, image, digest, running, served, bootPlan } = node;
  const next = digest === null ? 'nothing: its image is gone, or cannot boot' : shortDigest(digest);
  const isNext = running === null || running !== digest;
  return [
    ['image', image],
    ...(running === null ? [] : [['runs', shortDigest(running)] satisfies Row]),
    ...(isNext ? [['next boot', next] satisfies Row] : []),
    ...(served === null
      ? []
      : [['last boot', `${humanDate(served.at)}, ${shortDigest(served.digest)}, ${bootPlan}`] satisfies Row]),
    ...mode(node),
    ['all boots', `walt node log ${name}`],
  ];
}

/** Where its files come from. What is wrong with its disk is told in its notes. */
function mode({ bootMode, hybridDisk }: NodeDetails): Row[] {
  const meaning = hybridDisk === null ? undefined : DISK_MEANINGS[hybridDisk];
  return [
    ...(bootMode === null ? [] : [['boot mode', bootMode] satisfies Row]),
    ...(hybridDisk === null
      ? []
      : [['hybrid disk', meaning ? `${hybridDisk}: ${meaning}` : hybridDisk] satisfies Row]),
  ];
}

const DISK_MEANINGS: Partial<Record<DiskState, string>> = {
  complete: 'it has all of the image',
  copying: 'the image is on its way to it',
};

function memory({ memory, swap, changes }: NonNullable<NodeDetails['room']>): Row[] {
  const left = ({ total, free }: { total: number; free: number }) =>
    `${humanSize(free)} of ${humanSize(total)} left`;
  return [
    ['memory', left(memory)],
    ...(swap.total > 0 ? [['swap', left(swap)] satisfies Row] : []),
    ...(changes ? [['for changes', left(changes)] satisfies Row] : []),
  ];
}

function power({ power: { kind, source, state } }: NodeDetails): string {
  const who = source ?? kind;
  return state === null ? who : `${who}: ${state}`;
}

function disk({ template, size, used }: NodeDetails['disks'][number], index: number): Row {
  const begun = template === 'none' ? '' : `, made as ${template}`;
  const now = used === null ? 'not made yet' : `${humanSize(used)} in use`;
  return [`disk ${index + 1}`, `${humanSize(size)}, ${now}${begun}`];
}
