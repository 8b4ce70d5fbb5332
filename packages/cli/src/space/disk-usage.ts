/** `walt advanced disk-usage`. */
import type { DiskPart, DiskUsage } from '@walt/contract';
import { humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { visibleName } from '../terminal/visible.ts';

const WORDS: Record<DiskPart['kind'], string> = {
  image: 'image',
  'hidden-images': 'images that you may not see',
  'older-versions': 'older versions of images',
  'shared-layers': 'what several images share',
  shells: 'changes in image shells',
  builds: 'caches of image builds',
  persist: '/persist of',
  disks: 'disks of',
  console: 'console of',
  'default-images': 'default images',
  'boot-files': 'boot files',
  logs: 'logs',
  database: 'database and its copies',
  toolchains: 'toolchains for other CPUs',
  caches: 'caches of default images',
  reserve: 'kept for when the disk is full',
  other: 'all else on this disk',
};

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
  const words = WORDS[kind] ?? visibleName(kind);
  return name === null ? words : `${words} ${visibleName(name)}`;
}
