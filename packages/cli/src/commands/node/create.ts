import { connect } from '@walt/client/connection';
import type { VirtualModel } from '@walt/contract';
import { VIRTUAL_MODELS } from '@walt/contract/values/kinds';
import { Command, Option } from 'commander';
import { waitForNodes } from '../../nodes/node-wait.ts';
import { jsonOption, memorySize, wholeNumber } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';

interface Options {
  image?: string;
  model?: VirtualModel;
  cpuCores?: number;
  ram?: number;
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
    .option('--cpu-cores <number>', 'number of its CPU cores', wholeNumber(1))
    .option('--ram <size>', 'its memory, as 512M or 2G', memorySize)
    .option('--wait', 'wait until it has booted')
    .addOption(jsonOption())
    .action(async (name: string, { image, model, cpuCores, ram, wait, json }: Options) => {
      const { client } = connect();
      const node = await client.node.create({
        name,
        ...(image !== undefined && { image }),
        ...(model !== undefined && { model }),
        ...(cpuCores !== undefined && { cpuCores }),
        ...(ram !== undefined && { ramMiB: ram }),
      });
      if (!json) print(`${node.name} is made and boots ${node.image}.`);
      if (wait) await waitForNodes(client, node.name);
      if (json) return printJson(node);
      if (wait) print(`${node.name} has booted: \`walt node shell ${node.name}\` opens a shell on it.`);
      else print(`\`walt node wait ${node.name}\` ends when it has booted.`);
    });
}
