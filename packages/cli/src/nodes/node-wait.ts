/** Waiting for nodes to boot, with progress. */
import type { Client } from '@walt/contract';
import { conjugate, nameList } from '../terminal/human.ts';
import { print } from '../terminal/output.ts';
import { follow } from '../terminal/progress.ts';

/** Ends when all nodes of the set have booted. Throws TIMEOUT after `timeout` seconds. */
export async function waitForNodes(client: Client, set: string, timeout?: number): Promise<string[]> {
  const events = client.node.wait({ set, ...(timeout !== undefined && { timeout }) });
  const { nodes } = await follow(events);
  return nodes;
}

export function tellBooted(nodes: readonly string[]): void {
  print(`${nameList(nodes)} ${conjugate(nodes, 'has', 'have')} booted.`);
}
