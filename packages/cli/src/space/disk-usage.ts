/** `walt advanced disk-usage`. */
import type { DiskPart, DiskUsage } from '@walt/contract';
import { DISK_PARTS } from '@walt/contract/values/kinds';
import { humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { visibleName } from '../terminal/visible.ts';

export function renderDiskUsage(usage: DiskUsage, paint: Paint): string {
  const { folder, size, free, reserved, parts } = usage;
  const byUser = Map.groupBy(parts, ({ user }) => user);
  const total = (all: readonly DiskPart[]) => all.reduce((sum, { bytes }) => sum + bytes, 0);
  // Users first, the one who has most before the others.
  const groups = [...byUser].sort(
    ([a, of], [b, other]) => Number(a === null) - Number(b === null) || total(other) - total(of),
  );
  const rows = groups.flatMap(([user, own]) => [
    { user: user === null ? 'the platform' : visibleName(user), what: '', bytes: total(own) },
    ...own.map((part) => ({ user: '', what: wordsOf(part), bytes: part.bytes })),
  ]);
  const left = Math.max(0, free - reserved);
  const room = `${humanSize(left)} of ${humanSize(size)} are left for users, and ${humanSize(Math.min(free, reserved))} for the platform itself`;
  const table = renderTable(
    rows,
    [
      { header: 'USER', value: (row) => row.user },
      { header: 'WHAT', value: (row) => row.what },
      { header: 'SIZE', value: (row) => humanSize(row.bytes), align: 'right' },
    ],
    paint,
  );
  return `${table}\n${visibleName(folder)}: ${room}.\n`;
}

function wordsOf({ kind, name }: DiskPart): string {
  const words = DISK_PARTS[kind] ?? visibleName(kind);
  return name === null ? words : `${words} ${visibleName(name)}`;
}
