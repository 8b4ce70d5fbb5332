/** Tables of text: a header, one line per row, columns as wide as their widest cell. */
import { displayWidth, type Paint } from './style.ts';
import { visibleName } from './visible.ts';

export interface Column<Row> {
  header: string;
  value: (row: Row) => string;
  align?: 'left' | 'right';
}

const GAP = '  ';

/** Lines that end with a newline; no line ends with blanks. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  paint: Paint,
): string {
  const padded = columns.map(({ header, value, align }) =>
    // A cell is one line, whatever is in it.
    pad([paint(header, 'bold'), ...rows.map((row) => visibleName(value(row)))], align),
  );
  const line = (index: number) => padded.map((cells) => cells[index] ?? '').join(GAP);
  // With the one of the headers.
  return Array.from({ length: rows.length + 1 }, (_, index) => `${line(index).trimEnd()}\n`).join('');
}

/** Cells of a column, as wide as the widest. */
function pad(cells: readonly string[], align: 'left' | 'right' = 'left'): string[] {
  const widths = cells.map(displayWidth);
  const widest = widths.reduce((most, width) => Math.max(most, width), 0);
  return cells.map((cell, index) => {
    const blanks = ' '.repeat(widest - (widths[index] ?? widest));
    return align === 'left' ? cell + blanks : blanks + cell;
  });
}
