import { connect } from '@walt/client/connection';
import type { VirtualModel } from '@walt/contract';
import { VIRTUAL_MODELS } from '@walt/contract/values/kinds';
import { Command, Option } from 'commander';
import { parseSettings, settingsHelp } from '../../nodes/node-settings.ts';
import { troubleLines } from '../../nodes/node-table.ts';
import { waitForNodes } from '../../nodes/node-wait.ts';
import { jsonOption, waitOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options extends YesOption {
  image?: string;
  model?: VirtualModel;
  cpuCores?: string;
  ram?: string;
  wait?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<name>', 'name of the new node: lower-case letters, digits and dashes')
    .option('--image <image>', 'image that it boots (default: the default image, copied into your set)')
    .addOption(
      new Option('--model <model>', 'hardware that it is (default: what the image is for)').choices(
        VIRTUAL_MODELS,
      ),
    )
    .argument('[settings...]', 'other settings of it, as NAME=VALUE: see below')
    .option('--cpu-cores <number>', 'the same as cpu.cores=NUMBER')
    .option('--ram <size>', 'the same as ram=SIZE')
    .addOption(waitOption())
    .addOption(yesOption())
    .addOption(jsonOption())
    .addHelpText('after', settingsHelp('virtual nodes'))
    .action(
      async (name: string, words: string[], { image, model, wait, json, yes: agreed, ...sizes }: Options) => {
        const { client } = connect();
        const wish = {
          name,
          ...(image !== undefined && { image }),
          ...(model !== undefined && { model }),
          settings: [...sizeSettings(sizes), ...parseSettings(words)],
        };
        const node = await confirming({ ...(agreed && { yes: agreed }) }, (yes) =>
          client.node.create({ ...wish, yes }),
        );
        const where = node.host === null ? '' : ` on ${node.host}`;
        if (!json) print(`${node.name} is made and boots ${node.image}${where}.`);
        if (!json && node.trouble) print(troubleLines(node).join('\n'));
        if (wait) await waitForNodes(client, node.name);
        if (json) return printJson(node);
        if (wait) print(`${node.name} has booted: \`walt node shell ${node.name}\` opens a shell on it.`);
        else print(`\`walt node wait ${node.name}\` ends when it has booted.`);
      },
    );
}

function sizeSettings({ cpuCores, ram }: Pick<Options, 'cpuCores' | 'ram'>) {
  return [
    ...(cpuCores === undefined ? [] : [{ name: 'cpu.cores', value: cpuCores }]),
    ...(ram === undefined ? [] : [{ name: 'ram', value: ram }]),
  ];
}
