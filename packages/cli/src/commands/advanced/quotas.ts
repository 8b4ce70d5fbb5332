import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { renderQuotas } from '../../space/quotas.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .description('Show how much of the platform you use, and how much you may.')
    .option('--all', 'of all users; only for administrators')
    .addOption(jsonOption())
    .action(async ({ all = false, json }: { all?: boolean; json?: true }) => {
      const users = await connect().client.server.quotas({ all });
      if (json) return printJson(users);
      print(renderQuotas(users, all, paintOutput()));
    });
}
