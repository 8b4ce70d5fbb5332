import { connect } from '@walt/client/connection';
import { NODE_NAME } from '@walt/contract/values/names';
import { Command } from 'commander';
import { checked, thisWalt } from '../ssh/access.ts';
import { renderStanza } from '../ssh/config.ts';
import { sshFiles } from '../ssh/files.ts';
import { ensureKey } from '../ssh/key.ts';
import { print } from '../terminal/output.ts';

export function command(): Command {
  return new Command()
    .description('Print what OpenSSH needs to reach nodes by name; its first lines tell where to put it.')
    .action(async () => {
      const nodes = await connect().client.node.list({ set: 'all-nodes' });
      const files = sshFiles();
      await ensureKey(files);
      const names = nodes.map(({ name }) => checked(name, NODE_NAME, 'the name of a node'));
      print(renderStanza(names, files, thisWalt()));
    });
}
