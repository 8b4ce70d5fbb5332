import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { ByteStream } from '@walt/client/stream';
import { Command } from 'commander';
import { attach } from '../../terminal/attach.ts';
import { hintAfterBacklog } from '../../terminal/console-hint.ts';
import { openWriters } from '../../terminal/console-writer.ts';
import { remark } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<node>', 'name of a virtual node, or of one whose controller (BMC) gives its console')
    .description(
      'Open the serial console of a node: what it has printed since it was switched on, what it prints, and a login.\n' +
        'Several may watch; one of them types, and the others are told. ctrl-a w takes over from him, ctrl-a d leaves\n' +
        'the console, ctrl-a a sends a ctrl-a. Real nodes need a controller for it: walt help show power',
    )
    .action(async (node: string) => {
      const connection = connect();
      const onTerminal = process.stdin.isTTY === true;
      const hint = `Console of ${node}: ctrl-a d leaves it.`;
      const { onWriter, mayType } = openWriters();
      const end = await attach({
        open: (handlers) =>
          new ByteStream(
            connection,
            '/stream/console',
            { node },
            { ...(onTerminal ? hintAfterBacklog(handlers, hint) : handlers), onWriter },
          ),
        escape: onTerminal,
        mayType,
      });
      if (end.how === 'lost') {
        throw new AbortError(
          'UNAVAILABLE',
          `The connection to the console of ${node} was lost.`,
          `Open it again: \`walt node console ${node}\`.`,
        );
      }
      remark(`${end.how === 'quit' ? '' : '\n'}Left the console of ${node}.`);
    });
}
