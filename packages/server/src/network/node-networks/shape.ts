/** How fast and how late a tap gives its node what it is sent (tc(8)). */
import type { LinkShape } from '@walt/contract';
import { attempt, ExternalError, run } from '../../platform/index.ts';

/** Queueing disciplines that are ours. */
const OURS = ['tbf', 'netem'];

/** Seconds that frames wait at most, for what slows them down. */
const QUEUE = 0.05;
/** Bytes and seconds that may go at once: what a timer of the kernel lets pass in one go. */
const BURST = { least: 4000, seconds: 0.004 };
/** Bytes that may wait in any case. */
const LEAST_QUEUE = 32_000;
/** Bytes of a frame. */
const FRAME = 1514;
/** Frames that are on their way at once, at least, and at most: memory of the server. */
const FRAMES = { least: 1000, most: 20_000 };

/** Words behind `root`; undefined: nothing is to be done to frames. Pure. */
export function shapeWords({ bandwidth, latency }: LinkShape): string[] | undefined {
  const bytes = bandwidth === undefined ? undefined : bandwidth / 8;
  if (latency !== undefined) {
    const wait = latency / 1e6 + QUEUE;
    const frames = bytes === undefined ? FRAMES.most : Math.ceil((bytes * wait) / FRAME);
    const limit = Math.min(FRAMES.most, Math.max(FRAMES.least, frames));
    const rate = bandwidth === undefined ? [] : ['rate', `${bandwidth}bit`];
    return ['netem', 'limit', String(limit), 'delay', `${latency}us`, ...rate];
  }
  if (bytes === undefined) return undefined;
  const burst = Math.round(Math.max(BURST.least, bytes * BURST.seconds));
  const limit = burst + Math.round(Math.max(LEAST_QUEUE, bytes * QUEUE));
  return ['tbf', 'rate', `${bandwidth}bit`, 'burst', String(burst), 'limit', String(limit)];
}

/** `before`: the tap's queueing discipline so far. Idempotent. Throws ExternalError when the kernel refuses. */
export async function setShape(tap: string, shape: LinkShape, before: string | undefined): Promise<void> {
  const words = shapeWords(shape);
  if (words) await run(['tc', 'qdisc', 'replace', 'dev', tap, 'root', ...words]);
  else if (before !== undefined && OURS.includes(before))
    await run(['tc', 'qdisc', 'delete', 'dev', tap, 'root']);
}

/** Why the kernel cannot do that to a tap, which is there; undefined: it can. Throws ExternalError when tc cannot be run. */
export async function whyNoShape(tap: string, shape: LinkShape): Promise<string | undefined> {
  const words = shapeWords(shape);
  if (!words) return undefined;
  const argv = ['tc', 'qdisc', 'replace', 'dev', tap, 'root', ...words];
  const { status, stderr } = await attempt(argv);
  if (status === 0) return undefined;
  if (!/unknown|No such file/i.test(stderr)) throw new ExternalError(argv, status, stderr);
  return `its kernel has no "${words[0]}" for tc`;
}
