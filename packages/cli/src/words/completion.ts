/** Candidates for the last word of a command line: categories, verbs, options, and live names. */
import type { Command } from 'commander';
import { type CommandEntry, categories, singles } from './categories.ts';
import { type ArgumentKind, candidatesFor } from './completion-values.ts';
import { chooseServer, namesServer } from './server-choice.ts';

/** All words after `walt`; the last one, perhaps empty, is to be completed. Answers nothing rather than an error. */
export async function complete(all: readonly string[]): Promise<string[]> {
  const current = all.at(-1) ?? '';
  if (namesServer(all)) return candidatesFor('server', current);
  const words = all.length > 2 ? chooseServer(all) : all;
  const [first, second] = words;
  const starts = [...Object.keys(categories), ...Object.keys(singles)];
  if (words.length <= 1) return matching(current.startsWith('-') ? ['--server'] : starts, current);
  if (first === undefined || second === undefined) return [];
  const category = Object.hasOwn(categories, first) ? categories[first] : undefined;
  if (category !== undefined) {
    if (words.length === 2) return matching(Object.keys(category.commands), current);
    const entry = Object.hasOwn(category.commands, second) ? category.commands[second] : undefined;
    return entry ? completeArguments(entry, words.slice(2), first) : [];
  }
  const single = Object.hasOwn(singles, first) ? singles[first] : undefined;
  return single ? completeArguments(single, words.slice(1), first) : [];
}

async function completeArguments(
  entry: CommandEntry,
  words: readonly string[],
  category: string,
): Promise<string[]> {
  const command = (await entry.load()).command();
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  if (current.startsWith('-') && !before.includes('--')) return matching(optionNames(command), current);
  const wordBefore = before.at(-1) ?? '';
  const option = command.options.find(({ long, short }) => [long, short].includes(wordBefore));
  if (option && (option.required || option.optional)) {
    if (option.argChoices) return matching(option.argChoices, current);
    if (option.required) return candidatesFor(kindOf(option.attributeName(), category), current);
  }
  const position = countArguments(command, before);
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[position] ?? (last?.variadic ? last : undefined);
  return argument ? candidatesFor(kindOf(argument.name(), category), current) : [];
}

function optionNames(command: Command): string[] {
  const own = command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
  return [...own, '--help'];
}

/** How many arguments stand among these words, options and their values left aside. */
function countArguments(command: Command, words: readonly string[]): number {
  let count = 0;
  let isValue = false;
  for (const word of words) {
    if (isValue) isValue = false;
    else if (!word.startsWith('-')) count += 1;
    else {
      const option = command.options.find(({ long, short }) => word === long || word === short);
      isValue = option?.required === true;
    }
  }
  return count;
}

/** What is wanted follows from the name of the argument: commands have no second list of kinds to keep in step. */
function kindOf(name: string, category: string): ArgumentKind {
  switch (name) {
    case 'set':
      return 'node-set';
    case 'node':
    case 'host':
      return 'node';
    case 'server':
      return 'server';
    case 'where':
      return 'condition';
    case 'device':
      return 'device';
    case 'image':
      return category === 'node' ? 'bootable-image' : 'image';
    case 'version':
    case 'other-version':
      return 'image-version';
    case 'link':
      return 'image-link';
    case 'registry':
      return 'registry';
    case 'settings':
      return category === 'device' ? 'device-setting' : 'setting';
    case 'topic':
      return 'topic';
    case 'source':
      return category === 'node' ? 'node-location' : 'image-location';
    case 'destination':
      return category === 'node' ? 'node-set-location' : 'image-location';
    default:
      return 'none';
  }
}

export function matching(candidates: Iterable<string>, current: string): string[] {
  return [...candidates].filter((candidate) => candidate.startsWith(current));
}
