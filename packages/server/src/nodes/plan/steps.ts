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

/** Whether what should be is what was applied last; null: not known, as after a start. Each pass asks, of thousands of rows. */
export function same<Row extends object>(wanted: readonly Row[], last: readonly Row[] | null): boolean {
  if (last === null || wanted.length !== last.length) return false;
  return wanted.every((row, index) => sameRow(row, last[index]));
}

function sameRow(row: object, last: object | undefined): boolean {
  if (last === undefined) return false;
  const fields = new Map<string, unknown>(Object.entries(last));
  const entries = Object.entries(row);
  return (
    entries.length === fields.size &&
    entries.every(([name, value]) => {
      const other = fields.get(name);
      return value === other || (value instanceof Object && JSON.stringify(value) === JSON.stringify(other));
    })
  );
}
