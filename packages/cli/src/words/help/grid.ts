/** Tables of the manual, drawn with lines; cells are wrapped so that the whole fits. */
import { displayWidth, type Paint } from '../../terminal/style.ts';
import { wrap } from './inline.ts';

/** Blanks and bar around each cell. */
const FRAME = 3;
const NARROWEST = 8;

export function renderGrid(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: Paint,
): string[] {
  const all = [header, ...rows];
  const widths = fitColumns(
    header.map((_, column) => Math.max(1, ...all.map((row) => displayWidth(row[column] ?? '')))),
    width - FRAME * header.length - 1,
  );
  const rule = (left: string, middle: string, right: string) =>
    paint(left + widths.map((size) => '─'.repeat(size + 2)).join(middle) + right, 'dim');
  const bar = paint('│', 'dim');
  const draw = (row: readonly string[]) => {
    const cells = widths.map((size, column) => wrap(row[column] ?? '', size));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, index) => {
      const parts = cells.map((lines, column) => pad(lines[index] ?? '', widths[column] ?? 0));
      return `${bar} ${parts.join(` ${bar} `)} ${bar}`;
    });
  };
  const body = rows.flatMap((row, index) => (index === 0 ? draw(row) : [rule('├', '┼', '┤'), ...draw(row)]));
  return [rule('┌', '┬', '┐'), ...draw(header), rule('├', '┼', '┤'), ...body, rule('└', '┴', '┘')];
}

/** Takes from the widest columns until the sum is `room`; no column gets narrower than a short word. */
export function fitColumns(natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  const sum = () => widths.reduce((total, size) => total + size, 0);
  while (sum() > room) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}
