import { connect } from '@walt/client/connection';
import { readLogLines } from '@walt/client/log-lines';
import { LAST_LINES } from '@walt/contract/values/logs';
import { Command } from 'commander';
import { rangeOf } from '../../logs/moments.ts';
import { linePrinter } from '../../logs/printer.ts';
import { jsonOption, wholeNumber } from '../../options.ts';

interface Options {
  user?: string;
  history?: string;
  realtime?: true;
  count?: number;
  json?: true;
}

export function command(): Command {
  return new Command()
    .description(
      `Print who did what, with which result: without --realtime and --history, the last ${LAST_LINES} deeds.`,
    )
    .option('--user <login>', 'only what this user did')
    .option('--realtime', 'print deeds as they are done, until ctrl-c')
    .option('--history <range>', "deeds of a range of time: '-5m:', 'START:END', 'full'")
    .option('-n, --count <number>', 'only so many of the last', wholeNumber(1))
    .addOption(jsonOption())
    .action(async ({ user, history, realtime, count, json }: Options) => {
      const connection = connect();
      const range = history === undefined ? {} : await rangeOf(connection.client, history);
      const print = linePrinter({
        format: '{timestamp:%Y-%m-%d %H:%M:%S} {line}',
        ...(json ? { json } : {}),
      });
      const query = {
        ...{ set: 'server', streams: '^platform\\.audit$', ...range, follow: realtime === true },
        ...(user !== undefined && { lines: `^${literal(user)} ` }),
        last: count ?? (history !== undefined ? undefined : realtime ? 0 : LAST_LINES),
      };
      for await (const portion of readLogLines(connection, query)) if (portion) await print(portion);
    });
}

/** A text as a regular expression that matches it alone. */
function literal(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
