/** The variables of a stage, as they are at each of its steps. Pure. */
import type { Instruction } from './dockerfile.ts';
import type { Values } from './expand.ts';
import { argumentOf, type BuildPlan, inLine, type Needed, type Stage, type Step } from './plan.ts';
import { readPairs } from './words.ts';

export interface ScopeSources {
  args: Readonly<Record<string, string>>;
  /** What an image has in its environment. */
  environmentOf(needed: Needed): ReadonlyMap<string, string>;
}

interface Scope {
  environment: Map<string, string>;
  args: Map<string, string>;
}

/** Calls `visit` for each step, in order, with the variables that it sees. Throws UserError INVALID that names a line. */
export function visitSteps(
  plan: BuildPlan,
  sources: ScopeSources,
  visit: (step: Step, values: Values, stage: Stage) => void,
): void {
  const scopes: Scope[] = [];
  for (const stage of plan.stages) {
    const { origin } = stage;
    const below = origin.kind === 'stage' ? scopes[origin.index] : undefined;
    const image = origin.kind === 'image' ? sources.environmentOf(origin.needed) : [];
    const scope: Scope = {
      environment: new Map(below?.environment ?? image),
      args: new Map(below?.args ?? []),
    };
    scopes.push(scope);
    // What ENV says goes before what ARG says.
    const values: Values = (name) => scope.environment.get(name) ?? scope.args.get(name);
    for (const step of stage.steps) {
      visit(step, values, stage);
      note(plan, step.instruction, scope, values, sources.args);
    }
  }
}

function note(
  plan: BuildPlan,
  instruction: Instruction,
  { environment, args }: Scope,
  values: Values,
  given: Readonly<Record<string, string>>,
): void {
  if (instruction.keyword === 'ARG') {
    const { name, value } = argumentOf(instruction);
    const chosen = Object.hasOwn(given, name)
      ? given[name]
      : value === undefined
        ? plan.values.get(name)
        : inLine(plan, instruction, value, values);
    if (chosen !== undefined) args.set(name, chosen);
  } else if (instruction.keyword === 'ENV') {
    const pairs = readPairs(instruction.rest, plan.escaping);
    if ('wrong' in pairs) return;
    // All of one line see what was before it.
    const set = pairs.map(({ name, value }) => [
      inLine(plan, instruction, name, values),
      inLine(plan, instruction, value, values),
    ]);
    for (const [name = '', value = ''] of set) environment.set(name, value);
  }
}
