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

/** Whether what should be is what was applied last; null: not known, as after a start. */
export function same(wanted: readonly object[], last: readonly object[] | null): boolean {
  return last !== null && JSON.stringify(wanted) === JSON.stringify(last);
}
