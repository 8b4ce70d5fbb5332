import { connect } from '@walt/client/connection';
import { readLogLines } from '@walt/client/log-lines';
import { LAST_LINES } from '@walt/contract/values/logs';
import { Command, Option } from 'commander';
import { DEFAULT_FORMAT, readFormat } from '../../logs/line-format.ts';
import { pastOf, rangeOf } from '../../logs/moments.ts';
import { CSV_HEAD, linePrinter, type PrintOptions } from '../../logs/printer.ts';
import { pattern, type Selection, selected, withSelection } from '../../logs/selection.ts';
import { wholeNumber } from '../../options.ts';
import { printRaw, remark } from '../../terminal/output.ts';
import { openPager } from '../../terminal/pager.ts';

interface Options extends Selection, PrintOptions {
  realtime?: true;
  history?: string;
  count?: number;
}

export function command(): Command {
  const show = new Command()
    .argument('[regexp]', 'only lines that match', pattern)
    .description(`Print lines that nodes logged: without --realtime and --history, the last ${LAST_LINES}.`)
    .option('--realtime', 'print lines as they come, until ctrl-c')
    .option('--history <range>', "lines of a range of time: '-5m:', 'START:END', 'full'")
    .option('-n, --count <number>', 'only so many of the last', wholeNumber(1));
  return withSelection(show)
    .option('--format <format>', `how a line is printed, as a format of Python: '${DEFAULT_FORMAT}'`)
    .addOption(new Option('--json', 'print lines as data, one object per line').conflicts(['format', 'csv']))
    .addOption(new Option('--csv', 'print lines as comma-separated values').conflicts(['format', 'json']))
    .action(async (lines: string | undefined, options: Options) => {
      // What cannot be printed is told before anything is asked for.
      if (options.format !== undefined) readFormat(options.format);
      const connection = connect();
      const { realtime = false, history, count } = options;
      const range = history === undefined ? {} : await rangeOf(connection.client, history);
      const hinted = history === undefined && !realtime && count === undefined;
      const query = { ...selected(options), lines, ...range, follow: realtime, last: pastOf(options) };
      // A range may be long; what comes is to be seen as it comes.
      const isLong = history !== undefined && !realtime && !options.json && !options.csv;
      const pager = isLong ? await openPager() : undefined;
      if (options.csv) printRaw(CSV_HEAD);
      const print = linePrinter(options, pager?.sink);
      let told = 0;
      try {
        for await (const portion of readLogLines(connection, query)) {
          if (portion) await print(portion);
          told += portion?.length ?? 0;
          if (pager?.sink.destroyed) break;
        }
      } finally {
        pager?.sink.end();
        await pager?.closed;
      }
      if (hinted && told === LAST_LINES) {
        remark(`These are the last ${LAST_LINES} lines; --history and --realtime tell others.`);
      } else if (told === 0 && !realtime) {
        const isNarrow = lines !== undefined || options.streams !== undefined || history !== undefined;
        remark(
          isNarrow
            ? 'No such line was logged. The last ones of your nodes: walt log show'
            : 'Nothing was logged. Nodes log with walt-log-echo: `walt help show logs`.',
        );
      }
    });
}
