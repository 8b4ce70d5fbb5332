/** The form of instructions: what buildah would refuse without a line, or take for something else, is told here. Pure. */
import { type Instruction, lineError, quoted } from './dockerfile.ts';
import { BadWord, checkWord } from './expand.ts';
import { jsonWords, readPairs, wordsOf } from './words.ts';

/** Those in which variables are replaced. */
const EXPANDED = new Set('ADD ARG COPY ENV EXPOSE FROM LABEL STOPSIGNAL USER VOLUME WORKDIR'.split(' '));

/** As Docker names them, with or without SIG; the kernel has 64 (signal(7)). */
const SIGNALS =
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ';
const SIGNAL = new RegExp(
  `^(?:(?:SIG)?(?:${SIGNALS.replaceAll(' ', '|')}|RTMIN(?:\\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)|[1-9]|[1-5][0-9]|6[0-4])$`,
  'i',
);

const PORT = /^\d{1,5}(?:-\d{1,5})?(?:\/(?:tcp|udp|sctp))?$/i;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*(?:=|$)/;

/** Go's time.ParseDuration, without signs. */
const DURATION = /^(?:0|(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h))+)$/;
const HEALTH_FLAGS: Readonly<Record<string, RegExp>> = {
  '--interval': DURATION,
  '--timeout': DURATION,
  '--start-period': DURATION,
  '--retries': /^\d{1,6}$/,
};

/** Throws UserError INVALID that names the line. */
export function checkForm(instruction: Instruction, file: string, escaping: string): void {
  const wrong = problem(instruction, escaping);
  if (wrong) throw lineError(file, instruction.line, wrong[0], wrong[1]);
  try {
    for (const word of expandedWords(instruction, escaping)) checkWord(word, escaping);
  } catch (error) {
    throw error instanceof BadWord ? badWord(error, instruction, file) : error;
  }
}

/** True when it uses a variable in a form that buildah does not know. */
export function isUnusual(instruction: Instruction, escaping: string): boolean {
  return expandedWords(instruction, escaping).some((word) => checkWord(word, escaping));
}

export function badWord(error: BadWord, { line }: Instruction, file: string) {
  return lineError(
    file,
    line,
    error.message,
    'Mend that line; a \\ in front of $ or a quote takes it as it is.',
  );
}

/** The words in which variables stand. */
function expandedWords({ keyword, rest }: Instruction, escaping: string): string[] {
  if (!EXPANDED.has(keyword)) return [];
  if (keyword === 'WORKDIR' || keyword === 'USER' || keyword === 'STOPSIGNAL') return [rest];
  return wordsOf(keyword, rest, escaping);
}

type Problem = [reason: string, hint: string] | undefined;

function problem({ keyword, flags, rest }: Instruction, escaping: string): Problem {
  const words = jsonWords(rest);
  const all = wordsOf(keyword, rest, escaping);
  switch (keyword) {
    case 'ENV':
    case 'LABEL':
      return pairProblem(keyword, rest, escaping);
    case 'ARG': {
      const bad = all.find((word) => !VARIABLE.test(word));
      return bad === undefined
        ? undefined
        : [`ARG ${quoted(bad)} cannot be read`, 'Write: ARG NAME, or ARG NAME=VALUE'];
    }
    case 'ADD':
    case 'COPY':
      if (words === 'mixed') return notTexts(keyword);
      return all.length < 2
        ? [`${keyword} ${quoted(rest)} says what or where to, not both`, `Write: ${keyword} SOURCE... TARGET`]
        : undefined;
    case 'VOLUME':
      if (words === 'mixed') return notTexts(keyword);
      return all.length === 0 || all.includes('')
        ? ['VOLUME names no folder', 'Write: VOLUME /FOLDER']
        : undefined;
    case 'EXPOSE': {
      const bad = all.find((word) => !word.includes('$') && !PORT.test(word.replace(/["']/g, '')));
      return bad === undefined
        ? undefined
        : [`${quoted(bad)} is no port`, 'Write: EXPOSE 80, or EXPOSE 53/udp'];
    }
    case 'USER':
      return all.length > 1
        ? [`USER ${quoted(rest)} names more than one`, 'Write: USER NAME, or USER UID:GID']
        : undefined;
    case 'STOPSIGNAL':
      return rest.includes('$') || SIGNAL.test(rest.replace(/^(["'])(.*)\1$/, '$2'))
        ? undefined
        : [`${quoted(rest)} is no signal`, 'Write its name or number: STOPSIGNAL SIGTERM'];
    case 'SHELL':
      return Array.isArray(words) && words.length > 0
        ? undefined
        : ['SHELL is no list of texts', 'Write: SHELL ["/bin/sh", "-c"]'];
    case 'HEALTHCHECK':
      return healthProblem(flags, rest);
    case 'CMD':
    case 'ENTRYPOINT':
    case 'RUN':
      return words === 'mixed' ? notTexts(keyword) : undefined;
  }
  return undefined;
}

function pairProblem(keyword: string, rest: string, escaping: string): Problem {
  const pairs = readPairs(rest, escaping);
  return 'wrong' in pairs
    ? [
        `${keyword} ${quoted(pairs.wrong)} has no ${pairs.wrong.startsWith('=') ? 'name' : 'value'}`,
        `Write: ${keyword} NAME=VALUE`,
      ]
    : undefined;
}

function healthProblem(flags: readonly string[], rest: string): Problem {
  for (const flag of flags) {
    const [name = '', ...value] = flag.split('=');
    const form = Object.hasOwn(HEALTH_FLAGS, name) ? HEALTH_FLAGS[name] : undefined;
    if (!form) return [`HEALTHCHECK does not take ${quoted(flag)} here`, 'Leave it out.'];
    if (!form.test(value.join('='))) {
      return [
        `${quoted(flag)} is no ${name === '--retries' ? 'number' : 'time'}`,
        'Write: --interval=30s, or --retries=3',
      ];
    }
  }
  if (/^NONE$/i.test(rest)) {
    return flags.length > 0 ? ['HEALTHCHECK NONE takes no options', 'Leave them out.'] : undefined;
  }
  const command = /^CMD[\s\x85]+([\s\S]*)$/i.exec(rest)?.[1];
  if (command === undefined)
    return [`HEALTHCHECK ${quoted(rest)} is no check`, 'Write: HEALTHCHECK CMD COMMAND, or HEALTHCHECK NONE'];
  return jsonWords(command) === 'mixed' ? notTexts('HEALTHCHECK CMD') : undefined;
}

function notTexts(keyword: string): [string, string] {
  return [`the list behind ${keyword} has something else than texts in it`, 'Write each as "TEXT".'];
}
