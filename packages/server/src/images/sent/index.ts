/** What somebody changed where an image runs, sent by that machine as a tar: told, and saved as a layer. */
export type { SentChange } from './left-out.ts';
export { type Sending, SentChanges } from './sent-changes.ts';
