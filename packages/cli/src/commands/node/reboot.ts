import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { heard, tellUnheard } from '../../nodes/unheard.ts';
import { jsonOption, setCommand, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options extends YesOption {
  hard?: true;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .option('--hard', 'cut the power and give it back, do not ask the node')
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (set: string, options: Options) => {
      const { client } = connect();
      const hard = options.hard === true;
      const result = await confirming(options, (yes) => client.node.reboot({ set, hard, yes }));
      if (options.json) return printJson(result);
      const nodes = heard(result.nodes, result.unheard);
      if (nodes.length > 0) print(`${nameList(nodes)} ${conjugate(nodes, 'reboots', 'reboot')}.`);
      tellUnheard(result.unheard);
    });
}
