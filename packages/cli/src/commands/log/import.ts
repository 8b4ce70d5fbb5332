import { open } from 'node:fs/promises';
import { connect } from '@walt/client/connection';
import { importLogLines } from '@walt/client/log-lines';
import type { LogImported } from '@walt/contract';
import { Command } from 'commander';
import { fileError } from '../../logs/file-error.ts';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';
import { openDisplay } from '../../terminal/progress.ts';

export function command(): Command {
  return new Command()
    .argument('<file>', 'lines as `walt log export` prints them')
    .description(
      'Take in lines that were exported, of nodes that are here, by their names. All of them or, where one cannot be, none; what is there already does not come twice. For root.',
    )
    .addOption(jsonOption())
    .action(async (path: string, { json }: { json?: true }) => {
      const told = await send(path);
      if (json) return printJson(told);
      print(sentence(told));
    });
}

async function send(path: string): Promise<LogImported> {
  const cannotRead = (error: NodeJS.ErrnoException) => {
    throw fileError(error, `Cannot read ${path}`);
  };
  await using file = await open(path).catch(cannotRead);
  const { size: total } = await file.stat();
  using display = openDisplay();
  let done = 0;
  const body = file.createReadStream({ autoClose: false });
  const read = async function* () {
    try {
      for await (const part of body as AsyncIterable<Buffer>) {
        yield part;
        done += part.length;
        const whole = done <= total ? { total } : {};
        display.show({ type: 'progress', step: 'lines are sent', done, ...whole, unit: 'bytes' });
      }
    } catch (error) {
      cannotRead(error as NodeJS.ErrnoException);
    }
    display.show({ type: 'progress', step: 'lines are stored' });
  };
  return await importLogLines(connect(), read());
}

function sentence({ stored, known, expired }: LogImported): string {
  const lines = (count: number) => `${count} ${count === 1 ? 'line' : 'lines'}`;
  const parts = [`${lines(stored)} imported.`];
  if (known > 0) parts.push(`${lines(known)} had been there before.`);
  if (expired > 0) parts.push(`${lines(expired)} left out: older than logs.keep-days, they would not stay.`);
  return parts.join('\n');
}
