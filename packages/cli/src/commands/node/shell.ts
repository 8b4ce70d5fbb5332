import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { reachNode } from '../../ssh/access.ts';
import { sshFiles } from '../../ssh/files.ts';
import { runOnTerminal } from '../../ssh/spawn.ts';
import { paintRemarks, remark } from '../../terminal/output.ts';

const NOTE =
  'What you change on this node is gone at its next boot; only /persist is kept. `walt image shell` changes its image.';

export function command(): Command {
  return new Command()
    .argument('<node>', 'name of the node')
    .description('Open a shell on a node, by SSH. Waits for the node if it is booting.')
    .action(async (name: string) => {
      const node = await reachNode(connect().client, name);
      if (process.stderr.isTTY) remark(paintRemarks()(NOTE, 'dim'));
      process.exitCode = await runOnTerminal('ssh', ['-F', sshFiles().config, '--', node.name]);
    });
}
