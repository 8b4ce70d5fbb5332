/** What every bench prints: a table and its bounds for people, or all of it as JSON. */
import type { Summary } from './statistics.ts';

export interface Measure extends Summary {
  what: string;
  /** As `s`, `ms`, `MB`. */
  unit: string;
}

export interface Bound {
  /** The claim, in words. */
  claim: string;
  /** What was measured. */
  value: number;
  /** What it may be at most; or at least, with `atLeast`. */
  limit: number;
  atLeast?: boolean;
}

export interface Report {
  bench: string;
  measures: readonly Measure[];
  bounds: readonly Bound[];
}

export function holds({ value, limit, atLeast }: Bound): boolean {
  return atLeast ? value >= limit : value <= limit;
}

/** Prints the report; the process ends with 1 when a bound is broken. */
export function conclude(report: Report, json: boolean): void {
  const bounds = report.bounds.map((bound) => ({ ...bound, holds: holds(bound) }));
  process.stdout.write(json ? `${JSON.stringify({ ...report, bounds }, null, 2)}\n` : render(report));
  if (bounds.some((bound) => !bound.holds)) process.exitCode = 1;
}

export function render({ measures, bounds }: Report): string {
  const rows = measures.map(({ what, unit, runs, min, median, max }) => [
    what,
    ...[min, median, max].map((value) => `${digits(value)} ${unit}`),
    String(runs),
  ]);
  const lines = bounds.map((bound) => {
    const sign = bound.atLeast ? '≥' : '≤';
    return `${holds(bound) ? 'holds ' : 'BROKEN'}  ${bound.claim}: ${digits(bound.value)} ${sign} ${digits(bound.limit)}`;
  });
  return `${table([['', 'min', 'median', 'max', 'runs'], ...rows])}\n${lines.join('\n')}\n`;
}

/** Three significant digits, never an exponent. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

function table(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) => {
      const [name = '', ...values] = row;
      const padded = values.map((value, index) => value.padStart(widths[index + 1] ?? 0));
      return `${[name.padEnd(widths[0] ?? 0), ...padded].join('  ')}\n`;
    })
    .join('');
}
