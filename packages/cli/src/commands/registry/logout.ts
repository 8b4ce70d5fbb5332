import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<registry>', 'its label, as `walt registry show` lists it')
    .addOption(jsonOption())
    .description('Forget your login to a registry.')
    .action(async (registry: string, { json }: { json?: true }) => {
      const done = await connect().client.registry.logout({ registry });
      if (json) return printJson(done);
      const { username } = done;
      print(
        username === null
          ? `You were not logged in to ${registry}.`
          : `You are no longer logged in to ${registry} as ${username}.`,
      );
    });
}
