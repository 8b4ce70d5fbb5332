/** Options that several commands share, and values that need more than text. */
import { NODE_SETS } from '@walt/contract/values/names';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';

/** A command whose first argument is a set of nodes. With `--where` it reaches the action whole, as the server reads it. */
export function setCommand(): Command {
  const names = `node names or patterns ('pi-*') separated by commas, or ${NODE_SETS.join(', ')}`;
  return new Command()
    .addArgument(new Argument('<set>', names))
    .addOption(whereOption())
    .hook('preAction', (command) => {
      command.processedArgs[0] = wholeSet(String(command.processedArgs[0]), command.opts().where);
    });
}

/** Of the options that `whereOption` makes. */
export interface WhereOption {
  where?: string[];
}

export function whereOption(): Option {
  return new Option(
    '--where <condition>',
    'only nodes of which it is true, as model=rpi-4-b or state!=off; may be given again: `walt help show node-sets`',
  ).argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
}

export function parallelOption(usual: number): Option {
  return new Option('--parallel <number>', 'on so many nodes at the same time')
    .argParser(wholeNumber(1))
    .default(usual);
}

/** A set with its conditions. */
export function wholeSet(set: string, conditions: readonly string[] = []): string {
  return [set, ...conditions].join(' ');
}

export function jsonOption(): Option {
  return new Option('--json', 'print data, for programs');
}

export function yesOption(): Option {
  return new Option('--yes', 'do not ask, even where the work of others is at stake');
}

export function waitOption(): Option {
  return new Option('--wait', 'wait until it is done: the nodes have booted');
}

/** A whole number from `min`; for commander's argument parsers. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,15}$/.test(text) || Number(text) < min) {
      throw new InvalidArgumentError(`It must be a whole number, ${min} or more.`);
    }
    return Number(text);
  };
}

const SECONDS = { '': 1, s: 1, m: 60, h: 3600 } as const;

/** Seconds from `90`, `90s`, `5m` or `1h`. */
export function duration(text: string): number {
  const match = /^(\d{1,6})(|s|m|h)$/.exec(text);
  const unit = match?.[2];
  if (!match || unit === undefined || !Object.hasOwn(SECONDS, unit) || Number(match[1]) === 0) {
    throw new InvalidArgumentError('It must look like 90, 90s, 5m or 1h.');
  }
  return Number(match[1]) * SECONDS[unit as keyof typeof SECONDS];
}
