import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { deviceSshArguments, reachDevice } from '../../ssh/device.ts';
import { runOnTerminal } from '../../ssh/spawn.ts';

export function command(): Command {
  return new Command()
    .argument('<device>', 'name of the device')
    .option('--user <user>', 'whom to log in as there', 'root')
    .description(
      'Open a shell on a device that is no node, by SSH, with your own keys or its password. Its host key is noted at the first time, and must be the same from then on.',
    )
    .action(async (name: string, { user }: { user: string }) => {
      const device = await reachDevice(connect().client, name);
      process.exitCode = await runOnTerminal('ssh', await deviceSshArguments(device, user));
    });
}
