import { Command } from 'commander';
import { connect } from '../../client.ts';
import { conjugate, nameList } from '../../human.ts';
import { waitForNodes } from '../../node-wait.ts';
import { duration, jsonOption, SET } from '../../options.ts';
import { print, printJson } from '../../output.ts';

interface Options {
  timeout?: number;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<set>', SET)
    .option('--timeout <seconds>', 'give up after this time, as 90, 5m or 1h', duration)
    .addOption(jsonOption())
    .action(async (set: string, { timeout, json }: Options) => {
      const nodes = await waitForNodes(connect().client, set, timeout);
      if (json) return printJson({ nodes });
      print(`${nameList(nodes)} ${conjugate(nodes, 'has', 'have')} booted.`);
    });
}
