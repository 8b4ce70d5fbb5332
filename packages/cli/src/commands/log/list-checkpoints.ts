import { connect } from '@walt/client/connection';
import type { Checkpoint } from '@walt/contract';
import { Command } from 'commander';
import { checkpointData, momentText } from '../../logs/checkpoint-table.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';
import { renderTable } from '../../terminal/table.ts';

export function command(): Command {
  return new Command()
    .description('List your checkpoints, by time.')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: true }) => {
      const checkpoints = await connect().client.log.checkpoints();
      if (json) return printJson(checkpoints.map(checkpointData));
      if (checkpoints.length === 0)
        return print('You have no checkpoints. Make one with: walt log add-checkpoint NAME');
      const columns = [
        { header: 'TIME', value: ({ at }: Checkpoint) => momentText(at) },
        { header: 'NAME', value: ({ name }: Checkpoint) => name },
      ];
      print(renderTable(checkpoints, columns, paintOutput()));
    });
}
