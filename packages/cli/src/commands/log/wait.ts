import { type Connection, connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { type LogLine, readLogLines } from '@walt/client/log-lines';
import { PLATFORM_ISSUER } from '@walt/contract/values/logs';
import { Command, Option } from 'commander';
import { DEFAULT_FORMAT, readFormat } from '../../logs/line-format.ts';
import { now } from '../../logs/moments.ts';
import { linePrinter, type PrintOptions } from '../../logs/printer.ts';
import { pattern, type Selection, selected, withSelection } from '../../logs/selection.ts';
import { duration, wholeNumber } from '../../options.ts';

interface Options extends Selection, PrintOptions {
  mode: 'ANY' | 'ALL';
  timeout?: number;
  timeMargin: number;
}

export function command(): Command {
  const wait = new Command()
    .argument('<regexp>', 'what a line must match', pattern)
    .description('Wait until nodes log a line that matches, and print it.')
    .addOption(
      new Option('--mode <mode>', 'ANY: until one node did; ALL: until each did')
        .choices(['ANY', 'ALL'])
        .default('ANY'),
    )
    .option('--timeout <seconds>', 'give up after this time, as 90, 5m or 1h', duration)
    .option('--time-margin <seconds>', 'lines of so many seconds before count, too', wholeNumber(0), 0);
  return withSelection(wait)
    .option('--format <format>', `how a line is printed, as a format of Python: '${DEFAULT_FORMAT}'`)
    .addOption(new Option('--json', 'print lines as data, one object per line').conflicts(['format']))
    .action(async (lines: string, options: Options) => {
      if (options.format !== undefined) readFormat(options.format);
      const { mode, timeout, timeMargin } = options;
      const connection = connect();
      const selection = selected(options);
      const missing = new Set(mode === 'ALL' ? await issuersOf(connection.client, selection.set) : []);
      const print = linePrinter(options);
      const end = new AbortController();
      const timer = timeout && setTimeout(() => end.abort(), timeout * 1000);
      const query = { ...selection, lines, from: now() - timeMargin * 1e6, follow: true };
      for await (const portion of readLogLines(connection, query, end.signal)) {
        const news = mode === 'ANY' ? (portion ?? []).slice(0, 1) : newOnes(portion ?? [], missing);
        if (news.length === 0) continue;
        await print(news);
        if (missing.size > 0) continue;
        clearTimeout(timer || undefined);
        return;
      }
      throw new AbortError(
        'TIMEOUT',
        missing.size > 0
          ? `Timeout was reached: no such line came of ${[...missing].join(', ')}.`
          : 'Timeout was reached: no such line came.',
        'See what came with: walt log show --history -10m:',
      );
    });
}

/** All that a set means: nodes, other devices, the platform. */
async function issuersOf(client: Connection['client'], set: string): Promise<string[]> {
  const others = (await client.device.list()).filter(({ type, ip }) => type === 'unknown' && ip !== null);
  const devices = new Set(others.map(({ name }) => name));
  const words = set
    .split(',')
    .flatMap((word) => (word === 'all-devices' ? ['all-nodes', ...devices, 'server'] : word));
  const ofNodes = words.filter((word) => word !== 'server' && !devices.has(word));
  const nodes = ofNodes.length === 0 ? [] : await client.node.list({ set: ofNodes.join(',') });
  const platform = words.includes('server') ? [PLATFORM_ISSUER] : [];
  return [...nodes.map(({ name }) => name), ...words.filter((word) => devices.has(word)), ...platform];
}

/** The first line of each issuer that is still missing; then it is not any more. */
function newOnes(lines: readonly LogLine[], missing: Set<string>): LogLine[] {
  return lines.filter(({ issuer }) => missing.delete(issuer));
}
