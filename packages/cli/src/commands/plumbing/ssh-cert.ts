import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { certifyNodes } from '../../ssh/access.ts';
import { nodeOfHost } from '../../ssh/files.ts';

export function command(): Command {
  return new Command()
    .argument('<host>', 'node name, or NODE.walt')
    .description(
      'Get a certificate of some minutes for one node (`Match exec` in the output of `walt ssh-config`).',
    )
    .action(async (host: string) => {
      await certifyNodes(connect().client, [nodeOfHost(host)]);
    });
}
