import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { remarkLost } from '../../images/lost-changes.ts';
import { readChanges } from '../../nodes/changes/read-changes.ts';
import { allChanges, summary } from '../../nodes/changes/render.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption, yesOption } from '../../options.ts';
import { reachNode } from '../../ssh/access.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { nameList } from '../../terminal/human.ts';
import { paintOutput, print, printJson, remark } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';
import { askYes, canAsk } from '../../terminal/prompt.ts';

interface Options extends YesOption {
  dryRun?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<node>', 'a node of yours that has booted')
    .argument('<image>', 'name of the image to save, in your set; that which the node boots, or another')
    .option('--dry-run', 'list what would be saved, and save nothing')
    .addOption(yesOption())
    .addOption(jsonOption())
    .description(
      'Save what was changed on a node since it booted, as a new version of an image: one layer on what the node runs.\n' +
        'What the platform put there is left out, and what a system writes by itself: `walt help show node-save`.',
    )
    .action(async (name: string, image: string, { dryRun, json, yes }: Options) => {
      const connection = connect();
      const { client } = connection;
      const opened = await confirming({ ...((yes || dryRun) && { yes: true }) }, (agreed) =>
        client.node.changes.open({ name, yes: agreed, ...(!dryRun && { saveAs: image }) }),
      );
      const node = await reachNode(client, name);
      const found = await readChanges(connection, node.name, opened.job);
      const { changes, lost, refusal, unsteady } = found;
      if (dryRun) {
        if (json) return printJson({ node: node.name, digest: opened.digest, ...found });
        const listed = changes.filter(({ leftOut }) => leftOut === null);
        if (listed.length > 0) print(allChanges(listed, paintOutput()));
      }
      remarkLost(lost);
      for (const path of unsteady) remark(`${path} changed while it was read.`);
      if (refusal !== null) throw new AbortError('INVALID', refusal, 'Mend it on the node, then save again.');
      if (changes.every(({ leftOut }) => leftOut !== null)) {
        remark('Nothing was changed that would be saved.');
        if (json) printJson({ node: node.name, changed: false });
        return;
      }
      remark(summary(changes, { isListed: dryRun === true }));
      if (dryRun) return;
      if (opened.nodes.length > 0)
        remark(`Nodes that boot ${image}: ${nameList(opened.nodes)}. What runs is not disturbed.`);
      if (!yes && canAsk() && !(await askYes(`Save it as ${image}?`))) {
        throw new AbortError('CANCELLED', 'Given up; nothing was saved.', '');
      }
      const saved = await follow(client.node.changes.save({ job: opened.job }));
      if (json) return printJson({ node: node.name, ...saved });
      print(`${saved.image} is saved (${shortDigest(saved.digest)}).`);
      await offerReboot(client, saved.nodes);
    });
}
