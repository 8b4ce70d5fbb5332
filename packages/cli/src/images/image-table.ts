/**
 * Folder `images/`: what the image commands do and show, one folder for each that is long.
 *
 * This file: `walt image show`.
 */
import type { Image } from '@walt/contract';
import { humanDate, humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { type Column, renderTable } from '../terminal/table.ts';

interface View {
  user: string;
  all: boolean;
  paint: Paint;
}

export function renderImages(images: readonly Image[], { user, all, paint }: View): string {
  const own = images.filter((image) => image.owner === user);
  const others = images.filter((image) => image.owner !== user);
  const parts: string[] = [];
  if (own.length > 0) {
    parts.push(
      part(
        'Your images',
        own,
        columnsFor(own, (image) => image.name),
        paint,
      ),
    );
  } else {
    parts.push('You do not have any image yet: `walt image duplicate OWNER/IMAGE NAME` copies one.\n');
  }
  if (others.length > 0) {
    parts.push(
      part(
        'Images of others',
        others,
        columnsFor(others, (image) => image.fullName),
        paint,
      ),
    );
  }
  if (images.some((image) => image.session)) {
    parts.push('* A shell session is open on it or waits: `walt image shell IMAGE` goes on with yours.\n');
  }
  if (!all) parts.push('`walt image show --all` also lists those of others and the default images.\n');
  return parts.join('\n');
}

function part(
  title: string,
  images: readonly Image[],
  columns: readonly Column<Image>[],
  paint: Paint,
): string {
  return `${paint(title, 'bold', 'cyan')}\n\n${renderTable(images, columns, paint)}`;
}

/** Where all are visible, nothing is said of that. */
function columnsFor(images: readonly Image[], name: (image: Image) => string): Column<Image>[] {
  const visibility: Column<Image> = { header: 'VISIBILITY', value: (image) => image.visibility };
  return [
    { header: 'NAME', value: (image) => (image.session ? `${name(image)} *` : name(image)) },
    { header: 'NODES', value: (image) => String(image.nodes.length), align: 'right' },
    { header: 'CREATED', value: (image) => humanDate(image.created) },
    { header: 'SIZE', value: (image) => humanSize(image.size), align: 'right' },
    { header: 'ARCH', value: (image) => image.architecture },
    {
      header: 'BOOTS',
      value: (image) =>
        image.kernel === null ? `no: lacks ${image.lends.join(', ')}` : image.models.join(', '),
    },
    ...(images.some((image) => image.visibility !== 'visible') ? [visibility] : []),
  ];
}
