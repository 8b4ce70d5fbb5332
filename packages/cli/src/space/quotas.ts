/**
 * Folder `space/`: who has how much of the platform.
 *
 * This file: `walt advanced quotas`.
 */
import type { Quota, UserQuotas } from '@walt/contract';
import type { Paint } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { visibleName } from '../terminal/visible.ts';

/** Part of a quota from which on its user is told. */
export const NEAR = 0.8;

const WORDS: Record<Quota['name'], string> = {
  'virtual-nodes': 'virtual nodes',
  cores: 'cores of virtual nodes',
  memory: 'memory of virtual nodes',
  images: 'image space',
  persist: '/persist space',
};

export function wordsOf({ name }: Pick<Quota, 'name'>): string {
  return WORDS[name] ?? visibleName(name);
}

/** A number of things, or bytes in MiB, in which server.conf and refusals count. */
export function amountOf({ name }: Pick<Quota, 'name'>, amount: number): string {
  return isNumber(name) ? String(amount) : `${Math.ceil(amount / (1024 * 1024))} MiB`;
}

/** `3 virtual nodes`, `4096 MiB of memory of virtual nodes`. */
export function quotaText(quota: Pick<Quota, 'name'>, most: number): string {
  return `${amountOf(quota, most)} ${isNumber(quota.name) ? '' : 'of '}${wordsOf(quota)}`;
}

function isNumber(name: Quota['name']): boolean {
  return name === 'virtual-nodes' || name === 'cores';
}

/** What takes most of it. */
export function largestOf({ by }: Pick<Quota, 'by'>, count = 3): string {
  const sorted = [...by].sort((a, b) => b.amount - a.amount);
  const names = sorted.slice(0, count).map((item) => visibleName(item.name));
  return sorted.length > count ? `${names.join(', ')} and ${sorted.length - count} more` : names.join(', ');
}

export function renderQuotas(users: readonly UserQuotas[], all: boolean, paint: Paint): string {
  const rows = users.flatMap((user) => user.quotas.map((quota) => ({ ...quota, ...user })));
  const told = all ? rows.filter(({ used, most }) => used > 0 || most !== null) : rows;
  if (told.length === 0) return 'Nobody has anything, and no quotas are set.\n';
  const used = (row: Quota) => {
    const text = amountOf(row, row.used);
    if (row.most === null || row.used < NEAR * row.most) return text;
    return paint(text, row.used > row.most ? 'red' : 'yellow');
  };
  return renderTable(
    told,
    [
      ...(all
        ? [
            {
              header: 'USER',
              value: (row: UserQuotas) => visibleName(row.user) + (row.known ? '' : ' (gone)'),
            },
          ]
        : []),
      { header: 'OF', value: wordsOf },
      { header: 'USED', value: used, align: 'right' },
      {
        header: 'QUOTA',
        value: (row) => (row.most === null ? 'none' : amountOf(row, row.most)),
        align: 'right',
      },
      { header: 'SET BY', value: (row) => visibleName(row.from ?? '') },
      { header: 'LARGEST', value: largestOf },
    ],
    paint,
  );
}
