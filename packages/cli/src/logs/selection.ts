/** Which lines of logs a command is about: options that `log show` and `log wait` share. */
import type { LogQuery } from '@walt/client/log-lines';
import { MAX_LOG_PATTERN } from '@walt/contract/values/logs';
import { type Command, InvalidArgumentError, Option } from 'commander';

export interface Selection {
  issuers: string;
  /** Older names of the same. */
  emitters?: string;
  nodes?: string;
  streams?: string;
  platform?: true;
  server?: true;
}

/** Adds the options of a Selection. */
export function withSelection(command: Command): Command {
  const issuers = ['issuers', 'emitters', 'nodes'];
  const older = (name: string) => {
    const others = issuers.filter((other) => other !== name);
    return new Option(`--${name} <set>`, 'as --issuers').hideHelp().conflicts(others);
  };
  return command
    .addOption(
      new Option(
        '--issuers <set>',
        "only lines of these nodes, a set as in `walt node show`; 'server' is the platform",
      ).default('my-nodes'),
    )
    .addOption(older('emitters'))
    .addOption(older('nodes'))
    .option('--streams <regexp>', 'only streams whose name matches', pattern)
    .addOption(
      new Option('--platform', 'lines of the platform on nodes, devices and images').conflicts([
        ...issuers,
        ...['streams', 'server'],
      ]),
    )
    .addOption(
      new Option('--server', 'lines of the platform on all that its journal has besides').conflicts([
        ...issuers,
        ...['streams', 'platform'],
      ]),
    );
}

export function pattern(text: string): string {
  if (text.length > MAX_LOG_PATTERN)
    throw new InvalidArgumentError(`It has more than ${MAX_LOG_PATTERN} characters.`);
  return text;
}

export function selected({
  platform,
  server,
  issuers,
  emitters,
  nodes,
  streams,
}: Selection): Pick<LogQuery, 'set' | 'streams'> {
  if (platform) return { set: 'server', streams: '^platform\\.' };
  if (server) return { set: 'server', streams: '^daemon\\.' };
  return { set: emitters ?? nodes ?? issuers, streams };
}
