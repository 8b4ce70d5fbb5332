import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { checkpointData, momentText } from '../../logs/checkpoint-table.ts';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<name>', 'checkpoint')
    .description('Remove a checkpoint. No line goes.')
    .addOption(jsonOption())
    .action(async (name: string, { json }: { json?: true }) => {
      const removed = await connect().client.log.removeCheckpoint({ name });
      if (json) return printJson(checkpointData(removed));
      print(`Checkpoint ${removed.name} is removed; it was at ${momentText(removed.at)}.`);
    });
}
