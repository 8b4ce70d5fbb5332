import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { renderNodeDetails } from '../../nodes/node-details.ts';
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
    .argument('[sets...]', 'tell all about these: node names, or sets as my-nodes')
    .option('--all', 'also free nodes, and those of other users')
    .option('--names-only', 'one name per line, nothing else')
    .addOption(whereOption())
    .addOption(jsonOption())
    .action(async (sets: string[], options: Options) => {
      const { client, credentials } = connect();
      if (sets.length > 0) {
        if (options.all || options.namesOnly) {
          throw new UsageError('--all and --names-only are for the list.', 'Name nodes, or use them.');
        }
        const whole = await client.node.details({ set: wholeSet(sets.join(','), options.where) });
        if (options.json) return printJson(whole);
        return print(renderNodeDetails(whole, Date.now() / 1000, paintOutput()));
      }
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
