import type { LostChange } from '@walt/contract';
import { remark } from './output.ts';
import { visibleName } from './visible.ts';

/** Tells what a save leaves out. */
export function remarkLost(lost: readonly LostChange[]): void {
  for (const { path, why } of lost) remark(`Not saved: ${visibleName(path)}: ${why}.`);
}
