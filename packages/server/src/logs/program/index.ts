/** The program `walt-logs`, as far as the server knows it. */
export type { Questions } from './control.ts';
export { type Keeper, openKeeper } from './keeper.ts';
export { MAX_LINE } from './records.ts';
