import type { Fields } from './log.ts';

/** Milliseconds. */
const PERIOD = 10_000;
/** Messages that are remembered; who invents more peers than that is written down once a period for all of them. */
const MAX_KNOWN = 1000;

/**
 * A line for the journal that whoever is outside can cause as often as he likes: written once in a while for each `peer`, with the
 * number of those that were left out (`more`).
 */
export function rarely(
  write: (message: string, fields?: Fields) => void,
  period = PERIOD,
): (message: string, fields?: Fields, peer?: string) => void {
  const written = new Map<string, { until: number; more: number }>();
  const forget = (now: number) => {
    for (const [key, { until, more }] of written) if (until < now && more === 0) written.delete(key);
  };
  return (message, fields = {}, peer = '') => {
    const now = performance.now();
    if (written.size >= MAX_KNOWN) forget(now);
    const own = `${message} ${peer}`;
    const key = written.has(own) || written.size < MAX_KNOWN ? own : message;
    const last = written.get(key);
    if (last && now < last.until) {
      last.more += 1;
      return;
    }
    write(message, last && last.more > 0 ? { ...fields, more: last.more } : fields);
    written.set(key, { until: now + period, more: 0 });
  };
}
