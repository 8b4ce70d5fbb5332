/** Steps, as planners answer them and executors carry them out. `Inputs` names the kinds, and what each needs. */

export type StepOf<Inputs, Kind extends keyof Inputs = keyof Inputs> = {
  [K in Kind]: { kind: K } & Inputs[K];
}[Kind];

/** A step that a planner knows and nobody can carry out does not compile. */
export type Executors<Inputs> = { [Kind in keyof Inputs]: (input: Inputs[Kind]) => Promise<void> };

/** The world as far as one concern goes: what is seen of it, and who carries out the steps that change it. */
export interface Part<Seen, Inputs> {
  observe(): Promise<Seen>;
  executors: Executors<Inputs>;
}

/**
 * Whether what should be is what was applied last; null: not known, as after a start. Each pass asks, of thousands of rows: nothing is
 * made for the comparison.
 */
export function same<Wanted, Last>(
  wanted: readonly Wanted[],
  last: readonly Last[] | null,
  isSame: (wanted: Wanted, last: Last) => boolean,
): boolean {
  if (last === null || wanted.length !== last.length) return false;
  return wanted.every((row, index) => {
    const other = last[index];
    return other !== undefined && isSame(row, other);
  });
}
