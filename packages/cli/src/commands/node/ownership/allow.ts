import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { type GroupOption, groupOption, guestText } from '../../../nodes/guests.ts';
import { jsonOption, setCommand } from '../../../options.ts';
import { print, printJson } from '../../../terminal/output.ts';
import { visibleName } from '../../../terminal/visible.ts';

export function command(): Command {
  return setCommand()
    .argument('[users...]', 'logins of the server')
    .addOption(groupOption())
    .addOption(jsonOption())
    .description(
      'Let others use nodes of yours, until you release them or take it back: `walt node disallow`.',
    )
    .action(async (set: string, users: string[], { group = [], json }: GroupOption & { json?: true }) => {
      const { nodes } = await connect().client.node.allow({ set, users, groups: group });
      if (json) return printJson(nodes);
      for (const { name, ...guests } of nodes)
        print(`${visibleName(name)} may also be used by ${guestText(guests)} now.`);
    });
}
