import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { type Location, parseNodeLocation } from '@walt/contract/values/images';
import { BOOTED_IMAGE } from '@walt/contract/values/names';
import { Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { copyToBootedImage } from '../../images/copy/node-to-image.ts';
import {
  copyBetweenNodes,
  copyFromNode,
  copyToNode,
  kindHere,
  type NodePath,
} from '../../nodes/copy/copy.ts';
import { copyTable, copyToNodes, PARALLEL_COPIES } from '../../nodes/copy/to-nodes.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption, parallelOption, type WhereOption, whereOption, wholeSet } from '../../options.ts';
import { reachNode, reachNodes } from '../../ssh/access.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

interface Options extends WhereOption {
  parallel: number;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<source>', 'file or folder: PATH here, or NODE:PATH')
    .argument(
      '<destination>',
      `PATH here, NODE:PATH, SET:PATH, or "${BOOTED_IMAGE}"; an existing folder takes the copy into it`,
    )
    .addOption(whereOption())
    .addOption(parallelOption(PARALLEL_COPIES))
    .addOption(jsonOption())
    .addOption(new Option('-r, --recursive', 'always on').hideHelp())
    .description(
      'Copy a file, or a folder with all that it contains, to a node, from a node, or between nodes. What is here can\n' +
        'be copied to all nodes of a set at the same time, which ends with a table of what became of it on each.\n' +
        'Links stay links. FOLDER/. stands for what the folder contains.\n' +
        `NODE:/PATH ${BOOTED_IMAGE} copies it to the same place in the image that the node boots, as a new version.`,
    )
    .action(async (from: string, to: string, { where, parallel, json }: Options) => {
      const [source, destination] = [from, to].map(parseNodeLocation) as [Location, Location];
      if (source.remote !== undefined && to === BOOTED_IMAGE) {
        const connection = connect();
        const written = await copyToBootedImage(connection, source.remote, source.path);
        print(`${written.image} is saved (${shortDigest(written.digest)}).`);
        return offerReboot(connection.client, written.nodes);
      }
      const [origin, target] = [source, destination].map(onNode);
      if (!origin && !target) {
        throw new UsageError('Neither side is on a node.', 'Write NODE:PATH for the side that is.');
      }
      const connection = connect();
      const { client } = connection;
      if (target && !origin) {
        // Nobody waits for a node that boots only to hear that.
        await kindHere(source.path);
        const nodes = (await reachNodes(client, wholeSet(target.node, where))).map(({ name }) => name);
        const [only = '', ...more] = nodes;
        if (more.length === 0 && !json) return copyToNode(source.path, { ...target, node: only });
        const copies = await copyToNodes(connection, source.path, { nodes, path: target.path, parallel });
        if (copies.some(({ error }) => error !== null)) process.exitCode = 1;
        if (json) return printJson(copies);
        return print(copyTable(copies, paintOutput()));
      }
      if (where) throw new UsageError('--where is for a set that something is copied to.', 'Leave it out.');
      for (const node of new Set([origin, target].flatMap((side) => side?.node ?? [])))
        await reachNode(client, node);
      if (origin && target) await copyBetweenNodes(origin, target);
      else if (origin) await copyFromNode(origin, destination.path);
    });
}

function onNode({ remote, path }: Location): NodePath | undefined {
  return remote === undefined ? undefined : { node: remote, path };
}
