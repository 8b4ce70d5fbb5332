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
  // A cell is one line, whatever is in it.
  const cells = rows.map((row) => columns.map((column) => visibleName(column.value(row))));
  const headers = columns.map((column) => paint(column.header, 'bold'));
  const lines = [headers, ...cells];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => displayWidth(line[index] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function pad(cell: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return align === 'left' ? cell + blanks : blanks + cell;
}
