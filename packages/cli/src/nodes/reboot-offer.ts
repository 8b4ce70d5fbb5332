/** After an image changed: nodes that boot its name still run the older version. */
import type { Client } from '@walt/contract';
import { confirming } from '../terminal/confirm.ts';
import { conjugate, nameList } from '../terminal/human.ts';
import { print, remark } from '../terminal/output.ts';
import { askYes, canAsk } from '../terminal/prompt.ts';

/** Asks whether to reboot them; without a terminal tells how. `what` they run, in words. */
export async function offerReboot(
  client: Client,
  nodes: readonly string[],
  what = 'the older version',
): Promise<void> {
  if (nodes.length === 0) return;
  const set = nodes.join(',');
  const older = `${nameList(nodes)} still ${conjugate(nodes, 'runs', 'run')} ${what}`;
  if (!canAsk()) {
    remark(`${older}: \`walt node reboot ${set}\` brings the new one.`);
    return;
  }
  if (!(await askYes(`${older}. Reboot now?`))) return;
  const rebooted = await confirming({}, (yes) => client.node.reboot({ set, hard: false, yes }));
  print(`${nameList(rebooted.nodes)} ${conjugate(rebooted.nodes, 'reboots', 'reboot')}.`);
}
