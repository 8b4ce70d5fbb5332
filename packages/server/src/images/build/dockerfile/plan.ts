/** From a Dockerfile to what buildah is given: stages, the images that they need, each step with its line. Pure. */
import type { Architecture } from '@walt/contract';
import { UserError } from '../../../platform/index.ts';
import { fromOci, ociName } from '../../architectures.ts';
import { type Dockerfile, type Instruction, lineError, parseDockerfile, quoted } from './dockerfile.ts';
import { BadWord, expand, type Values } from './expand.ts';
import { badWord } from './forms.ts';
import { checkInstruction } from './rules.ts';
import { splitWords } from './words.ts';

/** An image that the Dockerfile names. */
export interface Needed {
  /** As it is written there, variables replaced. */
  text: string;
  line: number;
  /** FROM's --platform; undefined: what the whole build is for. */
  platform: Architecture | undefined;
}

export type Origin =
  | { kind: 'scratch' }
  | { kind: 'stage'; index: number }
  | { kind: 'image'; needed: Needed };

export interface Stage {
  name: string | undefined;
  from: Instruction;
  origin: Origin;
  /** Without FROM. */
  steps: readonly Step[];
}

export interface Step {
  instruction: Instruction;
  /** What `COPY --from` takes from; undefined: the folder that is built. */
  source: Exclude<Origin, { kind: 'scratch' }> | undefined;
}

export interface BuildPlan {
  file: string;
  escaping: string;
  /** ARG lines in front of the first FROM, and what they come to for those behind it. */
  globals: readonly Instruction[];
  values: ReadonlyMap<string, string>;
  /** What the last one needs, and no other. */
  stages: readonly Stage[];
}

/**
 * Throws UserError INVALID that names the line. `server` and `wanted` are for FROM --platform; `target` is the name or number of the
 * stage to build, by default the last.
 */
export function planBuild(
  dockerfile: { text: string; file: string },
  args: Readonly<Record<string, string>>,
  platforms: { server: Architecture; wanted: Architecture | undefined },
  target?: string,
): BuildPlan {
  const read = parseDockerfile(dockerfile.text, dockerfile.file);
  const { file, escaping } = read;
  for (const instruction of read.instructions) checkInstruction(instruction, file, escaping);
  const instructions = read.instructions.flatMap((one) => splitArguments(one, escaping));
  const parsed = { ...read, instructions };
  const first = instructions.findIndex(({ keyword }) => keyword === 'FROM');
  const globals = first < 0 ? instructions : instructions.slice(0, first);
  const early = globals.find(({ keyword }) => keyword !== 'ARG');
  if (early || first < 0) {
    const what = early ? `${early.keyword} stands before the first FROM` : 'there is no FROM';
    throw lineError(file, early?.line ?? 1, what, 'Begin with the image to start from: FROM IMAGE');
  }
  const values = globalVariables(parsed, globals, args, platforms);
  const stages: Stage[] = [];
  const names = new Map<string, number>();
  let steps: Step[] = [];
  for (const instruction of instructions.slice(first)) {
    if (instruction.keyword === 'FROM') {
      steps = [];
      stages.push({ ...stageOf(parsed, instruction, values, names, platforms), steps });
      const { name } = stages.at(-1) ?? {};
      if (name !== undefined) names.set(name, stages.length - 1);
    } else steps.push({ instruction, source: sourceOf(parsed, instruction, names, stages.length - 1) });
  }
  return {
    file,
    escaping,
    globals,
    values,
    stages: neededStages(stages, targetIndex(file, stages, names, target)),
  };
}

/** Of several variables in one ARG, buildah knows the first. */
function splitArguments(instruction: Instruction, escaping: string): Instruction[] {
  if (instruction.keyword !== 'ARG') return [instruction];
  return splitWords(instruction.rest, escaping).map((rest) => ({ ...instruction, rest }));
}

function targetIndex(
  file: string,
  stages: readonly Stage[],
  names: ReadonlyMap<string, number>,
  target: string | undefined,
): number {
  if (target === undefined) return stages.length - 1;
  const index = names.get(target.toLowerCase()) ?? (/^\d{1,4}$/.test(target) ? Number(target) : -1);
  if (index >= 0 && index < stages.length) return index;
  const known = [...names.keys()].slice(0, 20).join(', ');
  throw new UserError(
    'INVALID',
    `${file} has no stage ${quoted(target)}.`,
    known === '' ? 'Give it a name: FROM IMAGE AS STAGE' : `Its stages are: ${known}`,
  );
}

/** The part of a plan that makes one of its stages. */
export function upTo(plan: BuildPlan, index: number): BuildPlan {
  return { ...plan, stages: neededStages(plan.stages, index) };
}

/** As Docker does: stages that what is wanted does not come from are not built. */
function neededStages(stages: readonly Stage[], target: number): Stage[] {
  const needed = new Set<number>();
  // Stages name only earlier ones.
  for (let index = target; index >= 0; index -= 1) {
    if (index !== target && !needed.has(index)) continue;
    needed.add(index);
    const { origin, steps } = stages[index] ?? { steps: [] };
    for (const from of [origin, ...steps.map(({ source }) => source)]) {
      if (from?.kind === 'stage') needed.add(from.index);
    }
  }
  const places = new Map([...needed].sort((a, b) => a - b).map((index, place) => [index, place]));
  const moved = <T extends Origin | undefined>(from: T): T =>
    from?.kind === 'stage' ? { ...from, index: places.get(from.index) ?? 0 } : from;
  return stages
    .filter((_, index) => needed.has(index))
    .map((stage) => ({
      ...stage,
      origin: moved(stage.origin),
      steps: stage.steps.map((step) => ({ ...step, source: moved(step.source) })),
    }));
}

/** Every image that has to be there. */
export function neededImages({ stages }: BuildPlan): Needed[] {
  return stages.flatMap(({ origin, steps }) => [
    ...(origin.kind === 'image' ? [origin.needed] : []),
    ...steps.flatMap(({ source }) => (source?.kind === 'image' ? [source.needed] : [])),
  ]);
}

/** What the last stage goes back to, stage by stage: an image, or nothing. */
export function finalOrigin({ stages }: BuildPlan): Needed | undefined {
  let origin = stages.at(-1)?.origin;
  while (origin?.kind === 'stage') origin = stages[origin.index]?.origin;
  return origin?.kind === 'image' ? origin.needed : undefined;
}

function stageOf(
  { file, escaping }: Dockerfile,
  instruction: Instruction,
  variables: ReadonlyMap<string, string>,
  earlier: ReadonlyMap<string, number>,
  { wanted }: { wanted: Architecture | undefined },
): Omit<Stage, 'steps'> {
  const { rest, flags, line } = instruction;
  const match = /^(\S+)(?:\s+[aA][sS]\s+(\S+))?$/.exec(rest);
  const value = (name: string) => variables.get(name);
  const expanded = match?.[1] && inLine({ file, escaping }, instruction, match[1], value);
  if (!expanded) {
    throw lineError(
      file,
      line,
      `FROM ${quoted(rest)} cannot be read`,
      'Write: FROM IMAGE, or FROM IMAGE AS STAGE',
    );
  }
  const name = match?.[2]?.toLowerCase();
  if (name !== undefined && (!/^[a-z][a-z0-9._-]{0,62}$/.test(name) || name === 'scratch')) {
    throw lineError(
      file,
      line,
      `${quoted(name)} cannot be the name of a stage`,
      'Take letters, digits and dashes.',
    );
  }
  if (name !== undefined && earlier.has(name)) {
    throw lineError(file, line, `there are two stages named ${quoted(name)}`, 'Rename one.');
  }
  const index = earlier.get(expanded.toLowerCase());
  const platform = platformOf({ file, escaping }, instruction, flags[0], value) ?? wanted;
  const origin: Origin =
    index !== undefined
      ? { kind: 'stage', index }
      : expanded === 'scratch'
        ? { kind: 'scratch' }
        : { kind: 'image', needed: { text: expanded, line, platform } };
  return { name, from: instruction, origin };
}

/** What `COPY --from` names, in the stage of that number; undefined: it has none. */
function sourceOf(
  { file }: Dockerfile,
  { keyword, flags, line }: Instruction,
  names: ReadonlyMap<string, number>,
  own: number,
): Step['source'] {
  const text = keyword === 'COPY' ? flags.find(isFrom)?.slice('--from='.length) : undefined;
  if (text === undefined) return undefined;
  if (/[$"'\\`]/.test(text)) {
    throw lineError(file, line, `--from=${text} has a variable or a quote in it`, 'Write the name itself.');
  }
  const index = names.get(text.toLowerCase()) ?? (/^\d{1,4}$/.test(text) ? Number(text) : own);
  return index < own
    ? { kind: 'stage', index }
    : { kind: 'image', needed: { text, line, platform: undefined } };
}

export function isFrom(flag: string): boolean {
  return flag.startsWith('--from=');
}

function platformOf(
  dockerfile: Pick<Dockerfile, 'file' | 'escaping'>,
  instruction: Instruction,
  flag: string | undefined,
  value: Values,
): Architecture | undefined {
  if (flag === undefined) return undefined;
  const text = inLine(dockerfile, instruction, flag.slice('--platform='.length), value);
  const oci = /^linux\/([a-z0-9]+)(?:\/v[0-9])?$/.exec(text)?.[1];
  if (oci !== undefined) return fromOci(oci);
  const { file } = dockerfile;
  throw lineError(
    file,
    instruction.line,
    `${quoted(flag)} is no platform of a node`,
    'Write: --platform=linux/arm64',
  );
}

/** What FROM may use: ARG lines before it, the arguments of the build, and the platforms that Docker names. */
function globalVariables(
  dockerfile: Dockerfile,
  globals: readonly Instruction[],
  args: Readonly<Record<string, string>>,
  { server, wanted }: { server: Architecture; wanted: Architecture | undefined },
): Map<string, string> {
  const platform = (architecture: Architecture) => {
    const { oci, variant } = ociName(architecture);
    return `linux/${oci}${variant ? `/${variant}` : ''}`;
  };
  const variables = new Map([
    ['BUILDOS', 'linux'],
    ['TARGETOS', 'linux'],
    ['BUILDPLATFORM', platform(server)],
    ['TARGETPLATFORM', platform(wanted ?? server)],
    ['BUILDARCH', ociName(server).oci],
    ['TARGETARCH', ociName(wanted ?? server).oci],
  ]);
  for (const instruction of globals) {
    const { name, value } = argumentOf(instruction);
    const chosen = Object.hasOwn(args, name)
      ? args[name]
      : value && inLine(dockerfile, instruction, value, (other) => variables.get(other));
    if (chosen !== undefined) variables.set(name, chosen);
  }
  return variables;
}

/** Name and value of an ARG with one variable; `checkForm` has looked at it. */
export function argumentOf({ rest }: Instruction): { name: string; value: string | undefined } {
  const at = rest.indexOf('=');
  return at < 0 ? { name: rest, value: undefined } : { name: rest.slice(0, at), value: rest.slice(at + 1) };
}

/** Variables replaced. Throws UserError INVALID that names the line. */
export function inLine(
  { file, escaping }: Pick<Dockerfile, 'file' | 'escaping'>,
  instruction: Instruction,
  text: string,
  values: Values,
): string {
  try {
    return expand(text, values, escaping).text;
  } catch (error) {
    throw error instanceof BadWord ? badWord(error, instruction, file) : error;
  }
}
