/** Numbers, times and lists as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with decimal units and three digits at most: `246 MB`, `2.5 kB`. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/** Seconds: `7 s`, `3 min 20 s`, `2 h 5 min`, `4 days`. */
export function humanDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return join(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return join(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  const days = Math.floor(whole / 86_400);
  return days === 1 ? '1 day' : `${days} days`;
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Unix time in seconds, in local time: `2026-03-09 14:05`. */
export function humanDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}`
  );
}

/** `a`, `a and b`, `a, b and c`; more than five are counted: `12 nodes`. */
export function nameList(names: readonly string[], plural = 'nodes'): string {
  if (names.length > 5) return `${names.length} ${plural}`;
  if (names.length === 0) return `no ${plural}`;
  const last = names.at(-1) ?? '';
  return names.length === 1 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

/** The form that fits the number of things: `conjugate(nodes, 'boots', 'boot')`. */
export function conjugate(things: readonly unknown[], one: string, many: string): string {
  return things.length === 1 ? one : many;
}
