import type { LostChange } from '@walt/contract';
import { remark } from '../terminal/output.ts';
import { visibleName } from '../terminal/visible.ts';

/** Tells what a save leaves out. */
export function remarkLost(lost: readonly LostChange[]): void {
  for (const { path, why } of lost) remark(`Not saved: ${visibleName(path)}: ${why}.`);
}
