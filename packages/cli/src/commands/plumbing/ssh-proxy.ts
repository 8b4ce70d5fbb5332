import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { nodeOfHost } from '../../ssh/files.ts';
import { relayToNode, SSH_PORT } from '../../ssh/relay.ts';

export function command(): Command {
  return new Command()
    .argument('<host>', 'node name, or NODE.walt')
    .description("Join standard input and output to a node's SSH server (ssh's ProxyCommand).")
    .action(async (host: string) => {
      const { stdin: input, stdout: output } = process;
      try {
        await relayToNode(connect(), { node: nodeOfHost(host), port: SSH_PORT }, { input, output });
      } finally {
        // It would keep the program alive.
        input.destroy();
      }
    });
}
