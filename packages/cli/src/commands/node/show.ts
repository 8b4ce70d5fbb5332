import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { renderNodes } from '../../nodes/node-table.ts';
import { jsonOption, type WhereOption, whereOption, wholeSet } from '../../options.ts';
import { paintOutput, print, printJson, printLines } from '../../terminal/output.ts';

interface Options extends WhereOption {
  all?: true;
  namesOnly?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .option('--all', 'also free nodes, and those of other users')
    .option('--names-only', 'one name per line, nothing else')
    .addOption(whereOption())
    .addOption(jsonOption())
    .action(async (options: Options) => {
      const { client, credentials } = connect();
      const nodes = await client.node.list({
        set: wholeSet(options.all ? 'all-nodes' : 'my-nodes', options.where),
        power: options.namesOnly === undefined,
      });
      if (options.json) return printJson(nodes);
      if (options.namesOnly) return printLines(nodes.map(({ name }) => name));
      const user = await credentials.user();
      const view = { user, all: options.all === true, chosen: options.where !== undefined };
      print(renderNodes(nodes, { ...view, paint: paintOutput() }));
    });
}
