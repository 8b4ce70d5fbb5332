import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { checkpointData, momentText } from '../../logs/checkpoint-table.ts';
import { momentOf } from '../../logs/moments.ts';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<name>', 'letters, digits and dashes')
    .description('Give a moment a name, for the ranges of `walt log show --history`.')
    .option('--date <moment>', "another moment than now: -6h, or '2026-11-28 10:00:00'")
    .addOption(jsonOption())
    .action(async (name: string, { date, json }: { date?: string; json?: true }) => {
      const at = date === undefined ? undefined : momentOf(date);
      const made = await connect().client.log.addCheckpoint({ name, ...(at !== undefined && { at }) });
      if (json) return printJson(checkpointData(made));
      print(`Checkpoint ${made.name} is at ${momentText(made.at)}.`);
    });
}
