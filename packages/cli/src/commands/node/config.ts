import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { parseSettings, renderSettings, settingsHelp } from '../../nodes/node-settings.ts';
import { jsonOption, setCommand, yesOption } from '../../options.ts';
import { tellNearQuotas } from '../../space/near-quotas.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return setCommand()
    .argument('[settings...]', 'what to change, as NAME=VALUE; without any, all settings are shown')
    .description('Show or change settings of nodes: of all in the set, or of none.')
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText('after', settingsHelp())
    .action(async (set: string, words: string[], options: YesOption & { json?: true }) => {
      const { client } = connect();
      if (words.length === 0) {
        const { nodes } = await client.node.settings({ set });
        if (options.json) return printJson(nodes);
        return print(renderSettings(nodes, paintOutput()));
      }
      const settings = parseSettings(words);
      const result = await confirming(options, (yes) => client.node.config({ set, settings, yes }));
      if (options.json) printJson(result);
      else tellChanged(result, words);
      await tellNearQuotas('nodes');
    });
}

function tellChanged(
  { nodes, reboot }: { nodes: string[]; reboot: string[] },
  words: readonly string[],
): void {
  print(`${nameList(nodes)} ${conjugate(nodes, 'has', 'have')} ${words.join(', ')} now.`);
  if (reboot.length > 0) print(`Reboot to apply it: \`walt node reboot ${reboot.join(',')}\`.`);
}
