import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { tellUnheard } from '../../../nodes/unheard.ts';
import { jsonOption, setCommand } from '../../../options.ts';
import { conjugate, nameList } from '../../../terminal/human.ts';
import { print, printJson } from '../../../terminal/output.ts';

export function command(): Command {
  return setCommand()
    .description('Take free nodes: they boot a default image of your own set, which makes them yours.')
    .addOption(jsonOption())
    .action(async (set: string, options: { json?: true }) => {
      const { nodes, unheard } = await connect().client.node.acquire({ set });
      if (options.json) return printJson({ nodes, unheard });
      if (nodes.length === 0) return print('Yours already: nothing was done.');
      const act = unheard.length === 0 ? ` and ${conjugate(nodes, 'reboots', 'reboot')}` : '';
      print(`${nameList(nodes)} ${conjugate(nodes, 'is', 'are')} yours now${act}.`);
      tellUnheard(unheard);
    });
}
