import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { type GroupOption, groupOption, guestText } from '../../../nodes/guests.ts';
import { jsonOption, setCommand } from '../../../options.ts';
import { print, printJson } from '../../../terminal/output.ts';
import { visibleName } from '../../../terminal/visible.ts';

interface Options extends GroupOption {
  all?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .argument('[users...]', 'logins of the server')
    .addOption(groupOption())
    .option('--all', 'everybody whom you have let use them')
    .addOption(jsonOption())
    .description('Take back that others may use nodes of yours. What they have open there ends at once.')
    .action(async (set: string, users: string[], { group = [], all, json }: Options) => {
      const { client } = connect();
      const { nodes } = await client.node.disallow({ set, users, groups: group, all: all === true });
      if (json) return printJson(nodes);
      for (const { name, ...guests } of nodes) {
        const [node, left] = [visibleName(name), guestText(guests)];
        print(left === '' ? `Nobody else may use ${node} now.` : `${node} may still be used by ${left}.`);
      }
    });
}
