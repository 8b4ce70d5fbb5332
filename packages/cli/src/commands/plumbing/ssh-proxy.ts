import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { nodeOfHost } from '../../ssh/files.ts';
import { relayToNode } from '../../ssh/relay.ts';

const SSH_PORT = 22;

export function command(): Command {
  return new Command()
    .argument('<host>', 'node name, or NODE.walt')
    .description("Join standard input and output to a node's SSH server (ssh's ProxyCommand).")
    .action((host: string) => relayToNode(connect(), nodeOfHost(host), SSH_PORT));
}
