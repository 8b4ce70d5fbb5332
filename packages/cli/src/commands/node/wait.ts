import { connect } from '@walt/client/connection';
import type { Command } from 'commander';
import { tellBooted, waitForNodes } from '../../nodes/node-wait.ts';
import { duration, jsonOption, setCommand } from '../../options.ts';
import { printJson } from '../../terminal/output.ts';

interface Options {
  timeout?: number;
  json?: true;
}

export function command(): Command {
  return setCommand()
    .option('--timeout <seconds>', 'give up after this time, as 90, 5m or 1h', duration)
    .addOption(jsonOption())
    .action(async (set: string, { timeout, json }: Options) => {
      const nodes = await waitForNodes(connect().client, set, timeout);
      if (json) return printJson({ nodes });
      tellBooted(nodes);
    });
}
