import type { Fields } from './log.ts';

/** Milliseconds. */
const PERIOD = 10_000;

/**
 * A line for the journal that whoever is outside can cause as often as he likes: written once in a while, with the number of those
 * that were left out (`more`).
 */
export function rarely(
  write: (message: string, fields?: Fields) => void,
  period = PERIOD,
): (message: string, fields?: Fields) => void {
  /** By message; as many as there are places in the code. */
  const written = new Map<string, { until: number; more: number }>();
  return (message, fields = {}) => {
    const now = performance.now();
    const last = written.get(message);
    if (last && now < last.until) {
      last.more += 1;
      return;
    }
    write(message, last && last.more > 0 ? { ...fields, more: last.more } : fields);
    written.set(message, { until: now + period, more: 0 });
  };
}
