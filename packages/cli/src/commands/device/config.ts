import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { parseSettings, renderSettings } from '../../nodes/node-settings.ts';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<device>', 'name of the device')
    .argument('[settings...]', 'what to change, as NAME=VALUE; without any, all settings are shown')
    .description(
      'Show or change settings of a device. `type=node model=MODEL` makes an unknown device a node; a node has the settings of `walt node config`.',
    )
    .addOption(yesOption())
    .addOption(jsonOption())
    .action(async (name: string, words: string[], options: YesOption & { json?: true }) => {
      const { client } = connect();
      const settings = parseSettings(words);
      const result = await confirming(options, (yes) => client.device.config({ name, settings, yes }));
      if (options.json) return printJson(result);
      const { device, reboot } = result;
      if (words.length === 0) {
        return print(renderSettings([{ name: device.name, settings: result.settings }], paintOutput()));
      }
      print(`${device.name} has ${words.join(', ')} now.`);
      if (reboot) print(`Reboot to apply it: \`walt node reboot ${device.name}\`.`);
    });
}
