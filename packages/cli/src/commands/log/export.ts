import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { connect } from '@walt/client/connection';
import { readLogLines } from '@walt/client/log-lines';
import { Command, Option } from 'commander';
import { fileError } from '../../logs/file-error.ts';
import { rangeOf } from '../../logs/moments.ts';
import { linePrinter, type PrintOptions, WHOLE_CSV_HEAD } from '../../logs/printer.ts';
import { pattern, type Selection, selected, withSelection } from '../../logs/selection.ts';
import { printRaw, remark } from '../../terminal/output.ts';
import { openDisplay } from '../../terminal/progress.ts';

interface Options extends Selection, Pick<PrintOptions, 'json' | 'csv'> {
  history: string;
  output?: string;
}

export function command(): Command {
  const all = new Command()
    .argument('[regexp]', 'only lines that match', pattern)
    .description('Print lines that were logged as data, all of them: `walt log import` takes them in again.')
    .option('--history <range>', "lines of a range of time: '-5m:', 'START:END', 'full'", 'full')
    .option('-o, --output <file>', 'write them to this file, once they are complete');
  return withSelection(all)
    .addOption(new Option('--json', 'an object per line, which is what is usual').conflicts('csv'))
    .addOption(new Option('--csv', 'comma-separated values, for tables'))
    .action(async (lines: string | undefined, options: Options) => {
      const { history, output, csv } = options;
      const connection = connect();
      const query = { ...selected(options), lines, ...(await rangeOf(connection.client, history)) };
      const form: PrintOptions = csv ? { csv: 'whole' } : { json: true };
      if (output === undefined) {
        if (csv) printRaw(WHOLE_CSV_HEAD);
        const print = linePrinter(form);
        for await (const portion of readLogLines(connection, query)) if (portion) await print(portion);
        return;
      }
      const count = await writeFile(output, csv ? WHOLE_CSV_HEAD : '', form, readLogLines(connection, query));
      remark(`${count} ${count === 1 ? 'line is' : 'lines are'} in ${output}.`);
    });
}

/** Writes beside the file, which has all lines or stays what it was. Answers how many there are. */
async function writeFile(
  path: string,
  head: string,
  form: PrintOptions,
  portions: ReturnType<typeof readLogLines>,
): Promise<number> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.part`;
  const sink = createWriteStream(beside, { flags: 'wx' });
  const written = finished(sink);
  // Told below.
  written.catch(() => {});
  try {
    using display = openDisplay();
    sink.write(head);
    const print = linePrinter(form, sink);
    let count = 0;
    for await (const portion of portions) {
      if (sink.errored) break;
      await print(portion ?? []);
      count += portion?.length ?? 0;
      display.show({ type: 'progress', step: 'lines are written', done: count, unit: 'lines' });
    }
    sink.end();
    await written.catch((error) => {
      throw fileError(error, `Cannot write to ${path}`);
    });
    await rename(beside, path).catch((error) => {
      throw fileError(error, `Cannot write to ${path}`);
    });
    return count;
  } catch (error) {
    sink.destroy();
    await rm(beside, { force: true });
    throw error;
  }
}
