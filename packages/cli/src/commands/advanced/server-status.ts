import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { renderStatus } from '../../server-status.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command().addOption(jsonOption()).action(async (options: { json?: true }) => {
    const status = await connect().client.server.status();
    if (options.json) return printJson(status);
    print(renderStatus(status, paintOutput()));
  });
}
