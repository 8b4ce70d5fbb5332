/** The program `walt-logs`, as far as the server knows it. */
export { bringLines } from './bring-lines.ts';
export { timeAt } from './chunk.ts';
export type { ProgramFigures, Questions } from './control.ts';
export { type Keeper, openKeeper } from './keeper.ts';
export { MAX_LINE } from './records.ts';
