import * as z from 'zod';
import type { ProvenVolume } from '../../boot/index.ts';
import type { NodeRow } from '../store.ts';

/** What a boot mounts from a host's volume server. */
export interface ServedVolumes {
  host: string;
  /** File names of its volumes. */
  names: readonly string[];
  /** By what the node knows that their bytes are right. */
  proofs: readonly ProvenVolume[];
}

const proof = z.object({ name: z.string(), blocks: z.number(), root: z.string() });
// A boot that an older server gave has no proofs.
const schema = z.object({ host: z.string(), names: z.array(z.string()), proofs: z.array(proof).default([]) });

type Row = Pick<NodeRow, 'generation' | 'served_generation' | 'served_volumes'>;

/** Whether it is in the boot that it was given last, as far as is known, and not told to boot anew. */
export function isServed({ generation, served_generation: served }: Row): boolean {
  return served === generation;
}

/** Hosts from which nodes have mounted volumes. */
export function usedHosts(rows: readonly Row[]): Set<string> {
  return new Set(rows.filter(isServed).flatMap((row) => servedVolumes(row)?.host ?? []));
}

/** Of a node's row; null: the WalT server itself has them. */
export function servedVolumes({
  served_volumes: text,
}: {
  served_volumes: string | null;
}): ServedVolumes | null {
  return text === null ? null : schema.parse(JSON.parse(text));
}
