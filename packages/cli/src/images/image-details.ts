/** `walt image show IMAGE`. */
import type { Image, ImageDetails, ImageLayer } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { guestText } from '../nodes/guests.ts';
import { humanDate, humanSize, nameList } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { type Column, renderTable } from '../terminal/table.ts';

const columns: readonly Column<ImageLayer>[] = [
  { header: 'LAYER', value: ({ digest }) => shortDigest(digest) },
  { header: 'SIZE', value: ({ size }) => sizeOf(size), align: 'right' },
  { header: 'VOLUME', value: ({ volume }) => sizeOf(volume), align: 'right' },
  { header: 'SHARED', value: ({ shared }) => (shared ? 'yes' : 'no') },
  { header: 'MADE BY', value: ({ made }) => (made ? madeBy(made) : '?') },
];

export function renderDetails(image: Image, details: ImageDetails, paint: Paint): string {
  const { nodes, kernel, realKernel, lends, models, bootPlan } = image;
  const current = nodes.filter((node) => !details.outdated.includes(node));
  const boots = kernel === null ? `no: lacks ${lends.join(', ')}` : models.join(', ');
  const rows: [string, string][] = [
    ['digest', image.digest],
    ['made', humanDate(image.created)],
    ['architecture', image.architecture],
    ['size', `${humanSize(image.size)} unpacked`],
    ['on disk', `${humanSize(details.disk)}, of which ${humanSize(details.shared)} shared with other images`],
    ['boots', boots],
    ...(kernel === null
      ? []
      : ([
          ['kernel', realKernel === null ? kernel : `${kernel} on virtual nodes, ${realKernel} on others`],
        ] as [string, string][])),
    ...(bootPlan === null ? [] : ([['boot plan', bootPlan]] as [string, string][])),
    ...(lends.length > 0 && kernel !== null ? ([['is lent', lends.join(', ')]] as [string, string][]) : []),
    ['visibility', visibility(image, details)],
    ['run by', nameList(current)],
    ...(details.outdated.length > 0
      ? ([['next boot', `${nameList(details.outdated)}: another version runs there`]] as [string, string][])
      : []),
    ['versions', `${details.versions} older: walt image log ${image.fullName}`],
    ...(image.session ? ([['session', 'a shell session is open or waits']] as [string, string][]) : []),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const facts = rows.map(([label, value]) => `${paint(label.padEnd(width), 'dim')}  ${value}\n`).join('');
  return `${paint(image.fullName, 'bold', 'cyan')}\n\n${facts}\n${renderTable(details.stack, columns, paint)}`;
}

function visibility({ visibility }: Image, { sharedWith }: ImageDetails): string {
  return visibility === 'shared' ? `shared with ${guestText(sharedWith)}` : visibility;
}

function madeBy({ action, user, at, detail }: NonNullable<ImageLayer['made']>): string {
  return [action, detail, `by ${user}, ${humanDate(at)}`].filter(Boolean).join(' ');
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? '?' : humanSize(bytes);
}
