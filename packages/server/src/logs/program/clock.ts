/** The clock of a node against the server's, as far as what it sends tells. All times are microseconds; a node's may be any. */

/** What is known of a node's clock, as it is stored. */
export interface Clock {
  /** Which boot of the node: with the next one, it may be another clock. */
  boot: string;
  /** Server's time minus node's, the least that was heard since `since` (server's time) … */
  least: number;
  since: number;
  /** … and in the time before that; null if there was none. */
  earlier: number | null;
  /** The node's time of its newest line that is stored, and what that was by the server's clock. */
  sent: number;
  told: number;
}

/** Both clocks when something was sent: the server's, read when it came, is late by the way. */
export interface Arrival {
  now: number;
  clock: number;
}

/** For how long a difference is believed at least: a clock that runs too fast or too slow is off by 0.1 s after that, at most. */
const WINDOW = 600e6;
/** No way takes so long (senders wait for 30 s): the clock was set. */
const JUMP = 60e6;

/**
 * The clock after it was heard again. A way takes time, sometimes seconds: of all differences, the least is nearest to the truth
 * (as in RFC 5905, section 10).
 */
export function heard(known: Clock | undefined, boot: string, { now, clock }: Arrival): Clock {
  const difference = now - clock;
  if (known?.boot !== boot || Math.abs(difference - differenceOf(known)) > JUMP) {
    return { boot, least: difference, since: now, earlier: null, sent: 0, told: 0 };
  }
  if (now - known.since > WINDOW) return { ...known, least: difference, since: now, earlier: known.least };
  return { ...known, least: Math.min(known.least, difference) };
}

function differenceOf({ least, earlier }: Clock): number {
  return Math.min(least, earlier ?? least);
}

/**
 * A node's time by the server's clock. What comes later stays later, though less is believed of the way meanwhile. A line that is
 * older than the newest one keeps its distance from it: programs write beside each other.
 */
export function serverTime(clock: Clock, time: number): number {
  if (time <= clock.sent) return clock.told - (clock.sent - time);
  return Math.max(time + differenceOf(clock), clock.told);
}

/** The clock when all lines up to the newest are stored. */
export function settled(clock: Clock, newest: number): Clock {
  return newest > clock.sent ? { ...clock, sent: newest, told: serverTime(clock, newest) } : clock;
}
