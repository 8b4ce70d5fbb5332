/** What was changed on nodes since they booted: told, and saved as images. */
export { createChangesCalls } from './calls.ts';
export { HeldChanges } from './held-changes.ts';
