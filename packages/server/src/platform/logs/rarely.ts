import type { Fields } from './log.ts';

/** Milliseconds. */
const PERIOD = 10_000;
/** Messages that are remembered; who invents more peers than that is written down once a period for all of them. */
const MAX_KNOWN = 1000;

interface Written {
  /** Milliseconds until which nothing more is written. */
  until: number;
  /** What was left out since, and the last of it. */
  more: number;
  message: string;
  fields: Fields;
}

/**
 * A line for the journal that whoever is outside can cause as often as he likes: written once in a while for each `peer`, then once
 * more for those that were left out, with their number (`more`) and the last of them.
 */
export function rarely(
  write: (message: string, fields?: Fields) => void,
  period = PERIOD,
  now: () => number = () => performance.now(),
): (message: string, fields?: Fields, peer?: string) => void {
  const known = new Map<string, Written>();
  let waiting = false;
  const tell = () => {
    waiting = false;
    const time = now();
    for (const [key, entry] of known) {
      if (time < entry.until) continue;
      if (entry.more === 0) known.delete(key);
      else {
        write(entry.message, { ...entry.fields, more: entry.more });
        Object.assign(entry, { until: time + period, more: 0 });
      }
    }
    tellLater();
  };
  const tellLater = () => {
    if (waiting || known.size === 0) return;
    waiting = true;
    setTimeout(tell, period).unref();
  };
  return (message, fields = {}, peer = '') => {
    const own = `${message} ${peer}`;
    const key = known.has(own) || known.size < MAX_KNOWN ? own : message;
    const last = known.get(key);
    const time = now();
    if (last && time < last.until) {
      Object.assign(last, { more: last.more + 1, message, fields });
      return;
    }
    write(message, last && last.more > 0 ? { ...fields, more: last.more } : fields);
    known.set(key, { until: time + period, more: 0, message, fields });
    tellLater();
  };
}
