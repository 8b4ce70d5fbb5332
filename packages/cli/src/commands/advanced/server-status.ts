import { Command } from 'commander';
import { connect } from '../../client.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../output.ts';
import { renderStatus } from '../../server-status.ts';

export function command(): Command {
  return new Command().addOption(jsonOption()).action(async (options: { json?: true }) => {
    const status = await connect().client.server.status();
    if (options.json) return printJson(status);
    print(renderStatus(status, paintOutput()));
  });
}
