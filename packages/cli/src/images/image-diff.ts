/** `walt image diff`. */
import type { ImageChange } from '@walt/contract';
import { humanSize } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { visibleName } from '../terminal/visible.ts';

const COLOURS = { A: 'green', M: 'yellow', D: 'red' } as const;

/** One line per file, with the patch below it where there is one. `raw`: patches are for a program. */
export function renderChanges(
  changes: readonly ImageChange[],
  { paint, raw }: { paint: Paint; raw: boolean },
): string {
  return changes
    .map(({ kind, path, patch }) => {
      const line = `${paint(kind, COLOURS[kind])} ${visibleName(path)}\n`;
      if (patch === null) return line;
      return line + (raw ? patch : colourPatch(patch, paint));
    })
    .join('');
}

/** Sizes and lines per file, and their sums. */
export function renderStat(changes: readonly ImageChange[], paint: Paint): string {
  const table = renderTable(
    changes,
    [
      { header: '', value: ({ kind }) => paint(kind, COLOURS[kind]) },
      { header: 'BEFORE', value: ({ before }) => sizeOf(before), align: 'right' },
      { header: 'AFTER', value: ({ after }) => sizeOf(after), align: 'right' },
      {
        header: 'LINES',
        value: ({ lines }) => (lines ? `+${lines.added} -${lines.removed}` : ''),
        align: 'right',
      },
      { header: 'PATH', value: ({ path, type }) => path + (type === 'folder' ? '/' : '') },
    ],
    paint,
  );
  return `${table}\n${summary(changes)}\n`;
}

/** `3 added (120 kB), 1 changed, none deleted`. */
export function summary(changes: readonly ImageChange[]): string {
  const part = (kind: ImageChange['kind'], word: string, size: (change: ImageChange) => number | null) => {
    const own = changes.filter((change) => change.kind === kind);
    const bytes = own.reduce((sum, change) => sum + (size(change) ?? 0), 0);
    return own.length === 0 ? `none ${word}` : `${own.length} ${word} (${humanSize(bytes)})`;
  };
  return [
    part('A', 'added', ({ after }) => after),
    part('M', 'changed', ({ after }) => after),
    part('D', 'deleted', ({ before }) => before),
  ].join(', ');
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? '' : humanSize(bytes);
}

function colourPatch(patch: string, paint: Paint): string {
  return patch.replace(/^(?:([+])|(-)|(@@)).*$/gm, (line, added, removed) =>
    paint(line, added ? 'green' : removed ? 'red' : 'cyan'),
  );
}
