/** The boots of nodes: what ran, why, and how each went. */
export { BootHistory } from './boot-history.ts';
export { type BootRow, bootsSeenBy, failureSeenBy, lastStep } from './boot-row.ts';
export { lastLines } from './last-lines.ts';
export { timesOf } from './told-steps.ts';
