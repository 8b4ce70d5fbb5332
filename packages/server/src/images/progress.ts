import type { Progress } from '@walt/contract';

/** Tells what happens now: `report('Making volumes', { done: 1, total: 3, unit: 'layers' })`. */
export type Report = (step: string, amount?: Pick<Progress, 'done' | 'total' | 'unit'>) => void;

/**
 * Runs `work` and hands on what it reports, then its result. Who reads slowly gets the latest report only; who stops reading
 * does not stop the work, so that a lost client loses nothing.
 */
export async function* withReports<T>(work: (report: Report) => Promise<T>): AsyncGenerator<Progress, T> {
  let latest: Progress | undefined;
  let wake = Promise.withResolvers<void>();
  const result = work((step, amount = {}) => {
    latest = { type: 'progress', step, ...amount };
    wake.resolve();
  });
  let ended = false;
  const end = () => {
    ended = true;
    wake.resolve();
  };
  result.then(end, end);
  while (!ended) {
    await wake.promise;
    wake = Promise.withResolvers();
    const event = latest;
    latest = undefined;
    if (event) yield event;
  }
  return await result;
}
