/** A word at the end of commands by which somebody may have come near a quota of his. */
import { connect } from '@walt/client/connection';
import type { Quota } from '@walt/contract';
import { remark } from '../terminal/output.ts';
import { visibleName } from '../terminal/visible.ts';
import { amountOf, NEAR, quotaText } from './quotas.ts';

const CONCERNED = {
  nodes: ['virtual-nodes', 'cores', 'memory', 'persist'],
  images: ['images'],
} satisfies Record<string, Quota['name'][]>;

export type Raised = keyof typeof CONCERNED;

export async function tellNearQuotas(raised: Raised): Promise<void> {
  // The command is done: a server that knows no quotas, or is gone by now, spoils nothing of it.
  const [own] = await connect()
    .client.server.quotas({ all: false })
    .catch(() => []);
  for (const quota of own?.quotas ?? []) {
    const { name, used, most, from } = quota;
    if (most === null || used < NEAR * most || !(CONCERNED[raised] as string[]).includes(name)) continue;
    remark(
      `You use ${amountOf(quota, used)} of your quota of ${quotaText(quota, most)} ` +
        `(${visibleName(from ?? '')}). See: walt advanced quotas`,
    );
  }
}
