import { connect } from '@walt/client/connection';
import { flushed } from '@walt/client/drain';
import { type LogLine, readLogLines } from '@walt/client/log-lines';
import { LAST_LINES } from '@walt/contract/values/logs';
import { Command } from 'commander';
import { readDeed } from '../../logs/deeds.ts';
import { pastOf, rangeOf } from '../../logs/moments.ts';
import { isoTime, linePrinter } from '../../logs/printer.ts';
import { jsonOption, wholeNumber } from '../../options.ts';
import { print } from '../../terminal/output.ts';
import { visibleJson } from '../../terminal/visible.ts';

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
      `Print who did what, from where, with which result: without --realtime and --history, the last ${LAST_LINES} deeds.`,
    )
    .option('--user <login>', 'only what this user did')
    .option('--realtime', 'print deeds as they are done, until ctrl-c')
    .option('--history <range>', "deeds of a range of time: '-5m:', 'START:END', 'full'")
    .option('-n, --count <number>', 'only so many of the last', wholeNumber(1))
    .addOption(jsonOption())
    .action(async ({ user, history, realtime, count, json }: Options) => {
      const connection = connect();
      const range = history === undefined ? {} : await rangeOf(connection.client, history);
      const tell = json ? printDeeds : linePrinter({ format: '{timestamp:%Y-%m-%d %H:%M:%S} {line}' });
      const query = {
        ...{ set: 'server', streams: '^platform\\.audit$', ...range, follow: realtime === true },
        ...(user !== undefined && { lines: `^${literal(user)} ` }),
        last: pastOf({ history, realtime, count }),
      };
      for await (const portion of readLogLines(connection, query)) if (portion) await tell(portion);
    });
}

async function printDeeds(lines: readonly LogLine[]): Promise<void> {
  for (const { time, line } of lines) {
    const deed = readDeed(line.toString('utf8'));
    if (deed) print(visibleJson(JSON.stringify({ timestamp: isoTime(time), ...deed })));
  }
  await flushed(process.stdout);
}

/** A text as a regular expression that matches it alone. */
function literal(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
