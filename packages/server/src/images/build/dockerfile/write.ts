/**
 * The Dockerfile anew, one line for each instruction, with image IDs in place of names: buildah looks for no image itself, and runs
 * nothing that was not looked at here. Pure.
 */
import { type Instruction, lineError, quoted, textOf } from './dockerfile.ts';
import type { Values } from './expand.ts';
import { isUnusual } from './forms.ts';
import { type BuildPlan, inLine, isFrom, type Needed, type Origin, type Step } from './plan.ts';
import { effectiveFlags } from './rules.ts';
import { type ScopeSources, visitSteps } from './scope.ts';
import { readPairs, wordsOf } from './words.ts';

/** A step whose files were chosen beforehand: what buildah copies instead, from where. */
export interface Chosen {
  /** As buildah knows the folder (`--build-context`). */
  folder: string;
  sources: readonly string[];
  target: string;
}

export interface WriteOptions extends ScopeSources {
  idOf(needed: Needed): string;
  chosen?: ReadonlyMap<Instruction, Chosen>;
}

/** Throws UserError INVALID that names the line of a variable that must be set. */
export function writeDockerfile(plan: BuildPlan, options: WriteOptions): string {
  const lines = new Map(plan.stages.map((stage) => [stage, [fromLine(plan, stage, options)]]));
  visitSteps(plan, options, (step, values, stage) => {
    checkNames(plan, step, values);
    lines.get(stage)?.push(stepLine(plan, step, values, options));
  });
  const all = [...plan.globals.map(textOf), ...[...lines.values()].flat()];
  return `# escape=${plan.escaping}\n${all.join('\n')}\n`;
}

function fromLine(
  plan: BuildPlan,
  { name, origin }: BuildPlan['stages'][number],
  { idOf }: WriteOptions,
): string {
  return `FROM ${originText(plan, origin, idOf)}${name === undefined ? '' : ` AS ${name}`}`;
}

function originText({ stages }: BuildPlan, origin: Origin, idOf: (needed: Needed) => string): string {
  if (origin.kind === 'image') return idOf(origin.needed);
  // Only a stage with a name can be started from.
  return (origin.kind === 'stage' && stages[origin.index]?.name) || 'scratch';
}

/** Throws UserError INVALID for a path that would mean a deletion in the layer, and be lost. */
function checkNames(plan: BuildPlan, { instruction }: Step, values: Values): void {
  const { keyword, rest, line } = instruction;
  const paths =
    keyword === 'WORKDIR'
      ? [rest]
      : keyword === 'COPY' || keyword === 'ADD'
        ? wordsOf(keyword, rest, plan.escaping)
        : [];
  for (const path of paths.map((word) => inLine(plan, instruction, word, values))) {
    if (!/(?:^|\/)\.wh\./.test(path)) continue;
    const message = `${quoted(path)} cannot be in an image: names that begin with ".wh." mean a deletion there`;
    throw lineError(plan.file, line, message, 'Give it another name.');
  }
}

function stepLine(plan: BuildPlan, step: Step, values: Values, { idOf, chosen }: WriteOptions): string {
  const { instruction, source } = step;
  const flags = effectiveFlags(instruction.flags).filter((flag) => !isFrom(flag));
  const choice = chosen?.get(instruction);
  if (choice) {
    const words = [...choice.sources, choice.target].map((word) => literal(word, plan.escaping));
    return textOf({
      keyword: 'COPY',
      flags: [...flags, `--from=${choice.folder}`],
      rest: JSON.stringify(words),
    });
  }
  // buildah knows a stage by its name in the case that was written, or by its number.
  const from =
    source &&
    `--from=${source.kind === 'image' ? idOf(source.needed) : (plan.stages[source.index]?.name ?? source.index)}`;
  const rest = isUnusual(instruction, plan.escaping)
    ? expandedRest(plan, instruction, values)
    : instruction.rest;
  return textOf({ ...instruction, rest, flags: from === undefined ? flags : [...flags, from] });
}

/** The rest of an instruction with its variables replaced, so that buildah has nothing to replace in it. */
function expandedRest(plan: BuildPlan, instruction: Instruction, values: Values): string {
  const { keyword, rest } = instruction;
  const { escaping } = plan;
  const expanded = (word: string) => inLine(plan, instruction, word, values);
  if (keyword === 'ENV' || keyword === 'LABEL') {
    const pairs = readPairs(rest, escaping);
    if ('wrong' in pairs) return rest;
    return pairs
      .map(({ name, value }) => `${expanded(name)}="${inQuotes(expanded(value), escaping)}"`)
      .join(' ');
  }
  if (keyword === 'ARG') {
    const at = rest.indexOf('=');
    return `${rest.slice(0, at)}="${inQuotes(expanded(rest.slice(at + 1)), escaping)}"`;
  }
  if (['USER', 'WORKDIR', 'STOPSIGNAL'].includes(keyword)) return literal(expanded(rest), escaping);
  const all = wordsOf(keyword, rest, escaping).map(expanded);
  if (keyword === 'EXPOSE') return all.join(' ');
  return JSON.stringify(all.map((word) => literal(word, escaping)));
}

/** So that a text stands for itself. */
function literal(text: string, escaping: string): string {
  return inQuotes(text, escaping).replaceAll("'", `${escaping}'`);
}

/** The same between double quotes. */
function inQuotes(text: string, escaping: string): string {
  return [...text]
    .map((one) => (one === escaping || one === '"' || one === '$' ? `${escaping}${one}` : one))
    .join('');
}
