import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { readCredentials } from '../../registry-credentials.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options {
  username?: string;
  passwordStdin?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<registry>', 'its label, as `walt registry show` lists it')
    .option('--username <name>', 'your name there (default: asked)')
    .option('--password-stdin', 'read the password, or an access token, from standard input')
    .addOption(jsonOption())
    .description(
      'Log in to a registry. The registry is asked first; what it accepts is kept on the server, for you alone.\n' +
        'An access token of the registry is better than your password: it can be revoked.',
    )
    .action(async (registry: string, { json, ...options }: Options) => {
      const credentials = await readCredentials(registry, options);
      const done = await connect().client.registry.login({ registry, ...credentials });
      if (json) return printJson(done);
      print(`You are logged in to ${done.registry} as ${done.username}.`);
    });
}
