/**
 * What an instruction may ask for. A build must not reach files of the server: of mounts, there are only those that buildah makes
 * itself. Pure.
 */

import { isUserError } from '../../../platform/index.ts';
import { type Instruction, instructionOf, lineError, quoted, shownText } from './dockerfile.ts';
import { checkForm } from './forms.ts';

const FLAGS: Readonly<Record<string, RegExp>> = {
  FROM: /^--platform=\S+$/,
  COPY: /^--(?:from|chown|chmod|exclude)=\S+$|^--(?:link|parents)(?:=(?:true|false))?$/,
  ADD: /^--(?:chown|chmod|checksum)=\S+$|^--link(?:=(?:true|false))?$/,
  HEALTHCHECK: /^--[a-z-]+=\S+$/,
  RUN: /^--mount=\S+$|^--network=default$/,
};

/** What makes no difference here, and buildah does not know: a layer of its own is what each COPY becomes anyway. */
const IGNORED = /^(?:--link(?:=.*)?|--network=default|--parents=false)$/;
/** What buildah 1.28 lacks: we choose the files (choice.ts). */
const CHOOSING = /^--(?:parents(?:=true)?$|exclude=|checksum=)/;

/** The flags of an instruction that buildah is given. */
export function effectiveFlags(flags: readonly string[]): string[] {
  return flags.filter((flag) => !IGNORED.test(flag) && !CHOOSING.test(flag));
}

/** True when an instruction copies what buildah cannot choose. */
export function isChoosing({ flags }: Pick<Instruction, 'flags'>): boolean {
  return flags.some((flag) => CHOOSING.test(flag));
}

const MOUNTS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  tmpfs: {
    'tmpfs-size': /^[0-9]+[kmgKMG]?$/,
    'tmpfs-mode': /^[0-7]{1,4}$/,
  },
  cache: {
    // The name of a folder.
    id: /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/,
    sharing: /^(?:shared|locked|private)$/,
    mode: /^[0-7]{1,4}$/,
    uid: /^[0-9]{1,9}$/,
    gid: /^[0-9]{1,9}$/,
  },
};
const TARGETS = ['target', 'dst', 'destination'];

/** Throws UserError INVALID that names the line. */
export function checkInstruction(instruction: Instruction, file: string, escaping: string): void {
  const { keyword, flags, rest, line } = instruction;
  for (const flag of flags) {
    if (!FLAGS[keyword]?.test(flag)) {
      throw lineError(file, line, `${keyword} does not take ${quoted(flag)} here`, 'Leave it out.');
    }
    if (keyword === 'RUN' && !IGNORED.test(flag)) checkMount(flag.slice('--mount='.length), line, file);
  }
  checkForm(instruction, file, escaping);
  if (keyword !== 'ONBUILD') return;
  const inner = instructionOf(rest, line, file);
  if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(inner.keyword)) {
    throw lineError(file, line, `${inner.keyword} cannot stand behind ONBUILD`, 'Mend that line.');
  }
  if (isChoosing(inner)) {
    throw lineError(
      file,
      line,
      `${quoted(inner.flags.join(' '))} cannot stand behind ONBUILD`,
      'Leave it out.',
    );
  }
  checkInstruction(inner, file, escaping);
}

/** What an image asks builds to do that start from it. `shown` is how the Dockerfile calls the image. */
export function checkTriggers(triggers: readonly string[], shown: string, line: number, file: string): void {
  for (const trigger of triggers) {
    const inner = instructionOf(trigger, line, file);
    let allowed = false;
    try {
      checkInstruction(inner, file, '\\');
      allowed = !isChoosing(inner);
    } catch (error) {
      if (!isUserError(error)) throw error;
    }
    if (!allowed) {
      throw lineError(
        file,
        line,
        `${shown} has an instruction for those who build on it that is not allowed here: ${quoted(shownText(inner))}`,
        'Start from another image.',
      );
    }
  }
}

function checkMount(text: string, line: number, file: string): void {
  const refuse = (
    reason: string,
    hint = 'Allowed are type=cache with an id of letters and digits, and type=tmpfs.',
  ) => lineError(file, line, `the mount ${quoted(text)} ${reason}`, hint);
  const options = text.split(',').map((option) => {
    const at = option.indexOf('=');
    return at < 0 ? ([option, undefined] as const) : ([option.slice(0, at), option.slice(at + 1)] as const);
  });
  // Of two, buildah may take the other one.
  if (new Set(options.map(([name]) => name)).size < options.length) throw refuse('has an option twice');
  const type = options.find(([name]) => name === 'type')?.[1];
  const known = type !== undefined && Object.hasOwn(MOUNTS, type) ? MOUNTS[type] : undefined;
  if (!known) {
    throw refuse(
      `is of the type ${quoted(type ?? 'bind')}, which builds here do not have`,
      'COPY what the command needs, or use type=cache or type=tmpfs.',
    );
  }
  let hasTarget = false;
  for (const [name, value = ''] of options) {
    if (name === 'type') continue;
    const isTarget = TARGETS.includes(name);
    hasTarget ||= isTarget;
    // Where it appears; buildah's quotes and variables would make something else of it.
    const allowed = isTarget
      ? /^\/[A-Za-z0-9_./+@ -]*$/
      : Object.hasOwn(known, name)
        ? known[name]
        : undefined;
    if (!allowed?.test(value) || (isTarget && value.split('/').includes('..'))) {
      throw refuse(`has the option ${quoted(name)} with a value that is not allowed`);
    }
  }
  if (!hasTarget) throw refuse('does not say where', 'Add target=/FOLDER.');
}
