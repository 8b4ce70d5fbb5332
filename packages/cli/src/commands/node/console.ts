import { Command } from 'commander';
import { attach } from '../../attach.ts';
import { hintAfterBacklog } from '../../console-hint.ts';
import { AbortError } from '../../errors.ts';
import { connect } from '../../server/client.ts';
import { ByteStream } from '../../server/stream.ts';
import { remark } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<node>', 'name of a virtual node')
    .description(
      'Open the serial console of a virtual node: what it prints while it boots, and a login.\n' +
        'ctrl-a d leaves it, ctrl-a a sends a ctrl-a.',
    )
    .action(async (node: string) => {
      const connection = connect();
      const onTerminal = process.stdin.isTTY === true;
      const hint = `Console of ${node}: ctrl-a d leaves it.`;
      const end = await attach({
        open: (handlers) =>
          new ByteStream(
            connection,
            '/stream/console',
            { node },
            onTerminal ? hintAfterBacklog(handlers, hint) : handlers,
          ),
        escape: onTerminal,
      });
      if (end.how === 'lost') {
        throw new AbortError(
          'UNAVAILABLE',
          `The connection to the console of ${node} was lost.`,
          `Open it again: \`walt node console ${node}\`.`,
        );
      }
      remark(`\nLeft the console of ${node}.`);
    });
}
