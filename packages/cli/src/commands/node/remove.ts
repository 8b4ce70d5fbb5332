import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { jsonOption, setCommand, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return setCommand()
    .description(
      'Remove virtual nodes with all that they stored in /persist, or forget real nodes that are off.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: YesOption & { json?: true }) => {
      const { client } = connect();
      const { nodes } = await confirming(options, (yes) => client.node.remove({ set, yes }));
      if (options.json) return printJson({ nodes });
      print(`${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} removed.`);
    });
}
