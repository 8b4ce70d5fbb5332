import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { ByteStream } from '@walt/client/stream';
import { Command } from 'commander';
import { attach } from '../../terminal/attach.ts';
import { hintAfterBacklog } from '../../terminal/console-hint.ts';
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
