/** From a Dockerfile to what buildah is given: stages, the images that they need, each step with its line. Pure. */
import type { Architecture } from '@walt/contract';
import { fromOci, ociName } from '../architectures.ts';
import {
  type Dockerfile,
  type Instruction,
  lineError,
  parseDockerfile,
  quoted,
  textOf,
} from './dockerfile.ts';
import { checkInstruction, effectiveFlags } from './rules.ts';
import { expand } from './variables.ts';

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
  /** The image that COPY takes from. */
  source: Needed | undefined;
}

export interface BuildPlan {
  file: string;
  escaping: string;
  /** ARG lines in front of the first FROM. */
  globals: readonly Instruction[];
  stages: readonly Stage[];
}

/** Throws UserError INVALID that names the line. `server` and `wanted` are for FROM --platform. */
export function planBuild(
  dockerfile: { text: string; file: string },
  args: Readonly<Record<string, string>>,
  platforms: { server: Architecture; wanted: Architecture | undefined },
): BuildPlan {
  const parsed = parseDockerfile(dockerfile.text, dockerfile.file);
  const { file, escaping, instructions } = parsed;
  for (const instruction of instructions) checkInstruction(instruction, file);
  const first = instructions.findIndex(({ keyword }) => keyword === 'FROM');
  const globals = first < 0 ? instructions : instructions.slice(0, first);
  const early = globals.find(({ keyword }) => keyword !== 'ARG');
  if (early || first < 0) {
    const what = early ? `${early.keyword} stands before the first FROM` : 'there is no FROM';
    throw lineError(file, early?.line ?? 1, what, 'Begin with the image to start from: FROM IMAGE');
  }
  const variables = globalVariables(parsed, globals, args, platforms);
  const stages: Stage[] = [];
  for (const instruction of instructions.slice(first)) {
    const current = stages.at(-1);
    if (instruction.keyword === 'FROM' || !current) {
      stages.push(stageOf(parsed, instruction, variables, stages, platforms));
    } else {
      const step = { instruction, source: sourceOf(parsed, instruction, stages.slice(0, -1)) };
      stages[stages.length - 1] = { ...current, steps: [...current.steps, step] };
    }
  }
  return { file, escaping, globals, stages };
}

/** Every image that has to be there. */
export function neededImages({ stages }: BuildPlan): Needed[] {
  return stages.flatMap(({ origin, steps }) => [
    ...(origin.kind === 'image' ? [origin.needed] : []),
    ...steps.flatMap(({ source }) => source ?? []),
  ]);
}

/** What the last stage goes back to, stage by stage: an image, or nothing. */
export function finalOrigin({ stages }: BuildPlan): Needed | undefined {
  let origin = stages.at(-1)?.origin;
  while (origin?.kind === 'stage') origin = stages[origin.index]?.origin;
  return origin?.kind === 'image' ? origin.needed : undefined;
}

/**
 * The Dockerfile anew, one line for each instruction, with image IDs (`idOf`) in place of names: buildah looks for no image itself, and
 * runs nothing that was not looked at here.
 */
export function writeDockerfile(plan: BuildPlan, idOf: (needed: Needed) => string): string {
  const lines = plan.stages.flatMap(({ name, origin, steps }) => [
    `FROM ${originText(plan, origin, idOf)}${name === undefined ? '' : ` AS ${name}`}`,
    ...steps.map(({ instruction, source }) => {
      const own = effectiveFlags(instruction.flags);
      if (!source) return textOf({ ...instruction, flags: own });
      const flags = own.map((flag) => (isFrom(flag) ? `--from=${idOf(source)}` : flag));
      return textOf({ ...instruction, flags });
    }),
  ]);
  return `# escape=${plan.escaping}\n${[...plan.globals.map(textOf), ...lines].join('\n')}\n`;
}

function originText({ stages }: BuildPlan, origin: Origin, idOf: (needed: Needed) => string): string {
  if (origin.kind === 'image') return idOf(origin.needed);
  // Only a stage with a name can be started from.
  return (origin.kind === 'stage' && stages[origin.index]?.name) || 'scratch';
}

function stageOf(
  { file, escaping }: Dockerfile,
  instruction: Instruction,
  variables: ReadonlyMap<string, string>,
  earlier: readonly Stage[],
  { wanted }: { wanted: Architecture | undefined },
): Stage {
  const { rest, flags, line } = instruction;
  const match = /^(\S+)(?:\s+[aA][sS]\s+(\S+))?$/.exec(rest);
  const expanded = match?.[1] === undefined ? undefined : expand(match[1], variables, escaping);
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
  if (name !== undefined && earlier.some((stage) => stage.name === name)) {
    throw lineError(file, line, `there are two stages named ${quoted(name)}`, 'Rename one.');
  }
  const index = earlier.findIndex((stage) => stage.name === expanded.toLowerCase());
  const platform = platformOf(file, line, escaping, flags[0], variables) ?? wanted;
  const origin: Origin =
    index >= 0
      ? { kind: 'stage', index }
      : expanded === 'scratch'
        ? { kind: 'scratch' }
        : { kind: 'image', needed: { text: expanded, line, platform } };
  return { name, from: instruction, origin, steps: [] };
}

/** The image that COPY --from names; undefined: a stage, or no --from at all. */
function sourceOf(
  { file }: Dockerfile,
  instruction: Instruction,
  earlier: readonly Stage[],
): Needed | undefined {
  const { keyword, flags, line } = instruction;
  const text = keyword === 'COPY' ? flags.find(isFrom)?.slice('--from='.length) : undefined;
  if (text === undefined) return undefined;
  if (/[$"'\\`]/.test(text)) {
    throw lineError(file, line, `--from=${text} has a variable or a quote in it`, 'Write the name itself.');
  }
  const isStage = earlier.some((stage, index) => stage.name === text.toLowerCase() || String(index) === text);
  return isStage ? undefined : { text, line, platform: undefined };
}

function isFrom(flag: string): boolean {
  return flag.startsWith('--from=');
}

function platformOf(
  file: string,
  line: number,
  escaping: string,
  flag: string | undefined,
  variables: ReadonlyMap<string, string>,
): Architecture | undefined {
  if (flag === undefined) return undefined;
  const text = expand(flag.slice('--platform='.length), variables, escaping);
  const oci = /^linux\/([a-z0-9]+)(?:\/v[0-9])?$/.exec(text ?? '')?.[1];
  if (oci === undefined)
    throw lineError(file, line, `${quoted(flag)} is no platform of a node`, 'Write: --platform=linux/arm64');
  return fromOci(oci);
}

/** What FROM may use: ARG lines before it, the arguments of the build, and the platforms that Docker names. */
function globalVariables(
  { file, escaping }: Dockerfile,
  globals: readonly Instruction[],
  args: Readonly<Record<string, string>>,
  { server, wanted }: { server: Architecture; wanted: Architecture | undefined },
): Map<string, string> {
  const platform = (architecture: Architecture) => {
    const { oci, variant } = ociName(architecture);
    return `linux/${oci}${variant ? `/${variant}` : ''}`;
  };
  const variables = new Map([
    ['BUILDPLATFORM', platform(server)],
    ['TARGETPLATFORM', platform(wanted ?? server)],
    ['BUILDARCH', ociName(server).oci],
    ['TARGETARCH', ociName(wanted ?? server).oci],
  ]);
  for (const { rest, line } of globals) {
    const [, name, , value] = /^([A-Za-z_][A-Za-z0-9_]*)(=([\s\S]*))?$/.exec(rest) ?? [];
    const expanded = value === undefined ? undefined : expand(value, variables, escaping);
    if (name === undefined || (value !== undefined && expanded === undefined)) {
      throw lineError(file, line, `ARG ${quoted(rest)} cannot be read`, 'Write one variable: ARG NAME=VALUE');
    }
    const given = Object.hasOwn(args, name) ? args[name] : undefined;
    const chosen = given ?? expanded;
    if (chosen !== undefined) variables.set(name, chosen);
  }
  return variables;
}
