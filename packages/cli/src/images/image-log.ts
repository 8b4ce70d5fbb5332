/** `walt image log`. */
import type { ImageStep } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { humanDate, humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { type Column, renderTable } from '../terminal/table.ts';

const columns: readonly Column<ImageStep>[] = [
  { header: 'VERSION', value: ({ version }) => (version === null ? '-' : `@{${version}}`) },
  { header: 'WHEN', value: ({ at }) => humanDate(at) },
  { header: 'WHO', value: ({ user }) => user },
  { header: 'ADDED', value: ({ added }) => (added === null ? '?' : humanSize(added)), align: 'right' },
  {
    header: 'DIGEST',
    value: ({ digest, kept }) => (digest ? shortDigest(digest) + (kept ? '' : ' †') : '-'),
  },
  { header: 'WHAT', value: ({ action, detail }) => `${action} ${detail}`.trim() },
];

export function renderLog(steps: readonly ImageStep[], paint: Paint): string {
  const table = renderTable(steps, columns, paint);
  const gone = steps.some(({ digest, kept }) => digest !== null && !kept);
  return gone ? `${table}\n† It is no longer kept.\n` : table;
}
