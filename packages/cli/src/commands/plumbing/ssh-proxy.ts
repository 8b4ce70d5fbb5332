import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { describeFailure, renderFailure } from '../../errors.ts';
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
      } catch (error) {
        const failure = describeFailure(error);
        process.stderr.write(textBesideSsh(renderFailure(failure, false), output.bytesWritten > 0));
        process.exitCode = failure.status;
      } finally {
        // It would keep the program alive.
        input.destroy();
      }
    });
}

/** ssh has the terminal for itself by then: a line begins at its left only when that is said, and a prompt may stand in it. */
function textBesideSsh(text: string, isUsed: boolean): string {
  if (!process.stderr.isTTY) return text;
  return `${isUsed ? '\n' : ''}${text}`.replaceAll('\n', '\r\n');
}
