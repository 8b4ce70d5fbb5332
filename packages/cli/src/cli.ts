/**
 * Folder `cli/src/`: the command line. A folder's main file says first what the folder is for; `commands/CATEGORY/VERB.ts` is what
 * `words/categories.ts` tells of that command.
 *
 * This file: from the words of a command line to the one command that it means, and from a failure to its text.
 */
import { hasCode } from '@walt/client/errors';
import { NO_SERVER } from '@walt/client/place';
import type { Command } from 'commander';
import { describeFailure, renderFailure, UsageError } from './errors.ts';
import { paintOutput } from './terminal/output.ts';
import { canAsk } from './terminal/prompt.ts';
import { terminalText } from './terminal/visible.ts';
import { type CommandEntry, categories, plumbing, singles } from './words/categories.ts';
import { nearest } from './words/near.ts';
import { chooseServer } from './words/server-choice.ts';

declare const WALT_VERSION: string;

/** Runs one command line; answers the exit status unless the command has set `process.exitCode` itself. */
export async function main(words: readonly string[]): Promise<void> {
  let own = words;
  try {
    own = chooseServer(words);
    await dispatchOnSomeServer(own);
  } catch (error) {
    const failure = describeFailure(error);
    process.stderr.write(renderFailure(failure, wantsJson(own)));
    process.exitCode = failure.status;
  }
}

/** Where there is no server and somebody who can tell of one, he is asked, and the command begins anew. */
async function dispatchOnSomeServer(words: readonly string[]): Promise<void> {
  try {
    await dispatch(words);
  } catch (error) {
    if (!hasCode(error, NO_SERVER) || !canAsk() || wantsJson(words)) throw error;
    const { askForServer } = await import('./servers/first-server.ts');
    if (!(await askForServer())) throw error;
    await dispatch(words);
  }
}

/** Failures are data too when the command prints data. Words behind `--` or of a command elsewhere are not ours. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const flag = own.indexOf('--json');
  if (flag === -1) return false;
  const firstArgument = own.findIndex((word, index) => index > 1 && !word.startsWith('-'));
  const runsCommand = own[1] === 'run' || (own[0] === 'image' && own[1] === 'cross');
  return !runsCommand || firstArgument === -1 || flag < firstArgument;
}

async function dispatch(words: readonly string[]): Promise<void> {
  const [first, second] = words;
  if (first === '--version') return write(`walt ${WALT_VERSION}\n`);
  if (first === undefined || first === '--help' || first === '-h') {
    const { mainHelp } = await import('./words/usage.ts');
    write(mainHelp(paintOutput()));
    if (first === undefined) process.exitCode = 1;
    return;
  }
  const single = own(singles, first) ?? own(plumbing, first);
  if (single) return runCommand(single, `walt ${first}`, words.slice(1));
  const category = own(categories, first);
  if (!category) throw unknownWord('category', first, [...Object.keys(categories), ...Object.keys(singles)]);
  if (first === 'help' && second === undefined) return dispatch(['help', 'show']);
  if (second === undefined || second === '--help' || second === '-h') {
    const { categoryHelp } = await import('./words/usage.ts');
    write(categoryHelp(first, category, paintOutput()));
    if (second === undefined) process.exitCode = 1;
    return;
  }
  const entry = own(category.commands, second);
  if (!entry)
    throw unknownWord(`command of \`walt ${first}\``, second, Object.keys(category.commands), first);
  await runCommand(entry, `walt ${first} ${second}`, words.slice(2));
}

/** Never an inherited property: `walt constructor` is no command. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function unknownWord(what: string, word: string, known: string[], category?: string): UsageError {
  const guess = nearest(word, known);
  const before = category === undefined ? 'walt' : `walt ${category}`;
  return new UsageError(
    `There is no ${what} named "${word}".`,
    guess === undefined ? `\`${before} --help\` lists them.` : `Did you mean \`${before} ${guess}\`?`,
  );
}

async function runCommand(entry: CommandEntry, name: string, words: readonly string[]): Promise<void> {
  const command = (await entry.load()).command();
  prepare(command, name, entry.summary);
  try {
    await command.parseAsync(words, { from: 'user' });
    if (entry.raises && !process.exitCode)
      await (await import('./space/near-quotas.ts')).tellNearQuotas(entry.raises);
  } catch (error) {
    if (!isCommanderError(error)) throw error;
    if (error.exitCode === 0) return;
    throw new UsageError(
      sentence(error.message.replace(/^error: (command-argument value )?/, '')),
      `\`${name} --help\` tells how it is used.`,
    );
  }
}

function prepare(command: Command, name: string, summary: string): void {
  command.name(name).helpOption('-h, --help', 'show this help').exitOverride();
  if (command.description() === '') command.description(`${sentence(summary)}`);
  command.configureOutput({ writeErr: () => {}, outputError: () => {} });
  command.configureHelp({ commandDescription: () => flowing(command.description()) });
}

/** Lines of one paragraph become one, so that the help breaks them where the terminal ends; indented ones stay as they are. */
function flowing(text: string): string {
  return text.replace(/(?<=^\S.*)\n(?=[^\s])/gm, ' ');
}

function isCommanderError(error: unknown): error is Error & { exitCode: number } {
  return (
    error instanceof Error &&
    'exitCode' in error &&
    'code' in error &&
    String(error.code).startsWith('commander.')
  );
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!)]$/.test(start) ? start : `${start}.`;
}

function write(text: string): void {
  process.stdout.write(terminalText(text));
}
