import { type Connection, connect } from '@walt/client/connection';
import { Command } from 'commander';
import { describeFailure, renderFailure } from '../../errors.ts';
import { readChanges } from '../../nodes/changes/read-changes.ts';
import { allChanges, describeParts } from '../../nodes/changes/render.ts';
import { jsonOption } from '../../options.ts';
import { reachNode } from '../../ssh/access.ts';
import { paintOutput, print, printJson, remark } from '../../terminal/output.ts';

/** As diff(1) has them. */
const DIFFERS = 1;
const TROUBLE = 2;

export function command(): Command {
  return new Command()
    .argument('<node>', 'a node of yours that has booted')
    .addOption(jsonOption())
    .description(
      'Tell what differs between what a node runs and the image that it boots: files that were changed on it, and\n' +
        'newer versions of the image and of what the platform gives to nodes. Ends with 0 when nothing differs, 1 when\n' +
        'something does, 2 when that cannot be told. Files that `walt node save` leaves out are told, and do not count.',
    )
    .action(async (name: string, { json }: { json?: true }) => {
      try {
        process.exitCode = (await verify(connect(), name, json === true)) ? 0 : DIFFERS;
      } catch (error) {
        process.stderr.write(renderFailure(describeFailure(error), json === true));
        process.exitCode = TROUBLE;
      }
    });
}

/** True when nothing differs. */
async function verify(connection: Connection, name: string, json: boolean): Promise<boolean> {
  const { client } = connection;
  const { image, parts } = await client.node.changes.parts({ name });
  const opened = await client.node.changes.open({ name, yes: false });
  const node = await reachNode(client, name);
  const { changes, unsteady } = await readChanges(connection, node.name, opened.job);
  const newer = parts.filter(({ ran, now }) => ran !== null && ran !== now);
  const same = newer.length === 0 && changes.every(({ leftOut }) => leftOut !== null);
  if (json) printJson({ node: node.name, image, same, parts, changes, unsteady });
  else {
    print(describeParts(node.name, image, parts));
    if (changes.length > 0) print(allChanges(changes, paintOutput()));
    for (const path of unsteady) remark(`${path} changed while it was read.`);
    if (same) print(`Nothing differs from ${image} on ${node.name}.`);
  }
  return same;
}
