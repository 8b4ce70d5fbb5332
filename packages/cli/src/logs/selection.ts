/** Which lines of logs a command is about: options that `log show` and `log wait` share. */
import type { LogQuery } from '@walt/client/log-lines';
import { MAX_LOG_PATTERN } from '@walt/contract/values/logs';
import { type Command, InvalidArgumentError, Option } from 'commander';

export interface Selection {
  issuers: string;
  streams?: string;
  platform?: true;
}

/** Adds the options of a Selection. */
export function withSelection(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--issuers <set>',
        "only lines of these nodes, a set as in `walt node show`; 'server' is the platform",
      ).default('my-nodes'),
    )
    .option('--streams <regexp>', 'only streams whose name matches', pattern)
    .addOption(
      new Option('--platform', 'lines of the platform on nodes, devices and images').conflicts([
        'issuers',
        'streams',
      ]),
    );
}

export function pattern(text: string): string {
  if (text.length > MAX_LOG_PATTERN)
    throw new InvalidArgumentError(`It has more than ${MAX_LOG_PATTERN} characters.`);
  return text;
}

export function selected(selection: Selection): Pick<LogQuery, 'set' | 'streams'> {
  if (selection.platform) return { set: 'server', streams: '^platform\\.' };
  return { set: selection.issuers, streams: selection.streams };
}
