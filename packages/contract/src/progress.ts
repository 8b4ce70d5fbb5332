/** Calls that take more than a moment stream their progress, then their result, as one event iterator. */
import { eventIterator } from '@orpc/contract';
import * as z from 'zod';

const progress = z.object({
  type: z.literal('progress'),
  /** What happens now, in words a user understands. */
  step: z.string(),
  /** How much of `total` is done, both in `unit`; absent where it cannot be told. */
  done: z.number().optional(),
  total: z.number().optional(),
  unit: z.enum(['bytes', 'percent', 'nodes', 'layers', 'lines']).optional(),
});
export type Progress = z.infer<typeof progress>;

export type WithProgress<T> = Progress | { type: 'result'; value: T };

/** An iterator of progress events whose last event is `{ type: 'result', value }`. */
export function withProgress<T extends z.ZodType>(value: T) {
  return eventIterator(z.union([progress, z.object({ type: z.literal('result'), value })]));
}
