/** What an agent tells with a poll, in the query of its URL. */
import { bootMode, diskState } from '@walt/contract';
import type { DiskReport, NodeRoom, PollReport } from '../directory.ts';

/** Undefined when it does not tell which boot it is of. What else makes no sense is left out. */
export function readReport(query: URLSearchParams): PollReport | undefined {
  const generation = Number(query.get('generation') ?? Number.NaN);
  if (!Number.isSafeInteger(generation)) return undefined;
  return {
    generation,
    booted: query.get('booted') === '1',
    clock: clockOf(query.get('clock')),
    leaving: query.get('leaving') === '1',
    steps: stepsOf(query),
    room: roomOf(query.get('room')),
    disk: diskReport(query),
  };
}

/** Words that this server does not know say nothing. No schema reads them: what it makes of a word that is missing is slow. */
function diskReport(query: URLSearchParams): DiskReport {
  const [mode, disk] = [query.get('mode'), query.get('disk')];
  return {
    mode: bootMode.options.find((known) => known === mode) ?? 'network',
    disk: diskState.options.find((known) => known === disk) ?? null,
  };
}

/** Unix time in seconds; undefined when it is none that a clock can have. */
function clockOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,11}$/.test(text) ? Number(text) : undefined;
}

/** Seconds since the node's kernel started, of all steps or of none. */
function stepsOf(query: URLSearchParams): PollReport['steps'] {
  const seconds = (name: string) => {
    const text = query.get(name);
    return text !== null && /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  };
  const steps = {
    ...{ up: seconds('up'), network: seconds('network') },
    ...{ root: seconds('root'), init: seconds('init') },
  };
  return Object.values(steps).some(Number.isNaN) ? undefined : steps;
}

/** KiB as its agent tells them, and the fifth number as a count; undefined when they make no sense. */
export function roomOf(text: string | null): NodeRoom | undefined {
  if (text === null || !/^\d{1,12}(?:,\d{1,12}){4}(?:(?:,\d{1,12}){2})?$/.test(text)) return undefined;
  const numbers = text.split(',').map(Number);
  const roomAt = (at: number) => {
    const [total = 0, free = 0] = numbers.slice(at);
    return { total: total * 1024, free: free * 1024 };
  };
  const [memory, swap, killed, changes] = [roomAt(0), roomAt(2), numbers[4] ?? 0, roomAt(5)];
  if (memory.total === 0 || [memory, swap, changes].some(({ total, free }) => free > total)) return undefined;
  return { memory, swap, killed, ...(changes.total > 0 && { changes }) };
}
