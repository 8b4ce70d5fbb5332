/** Shells and commands in containers of images, with their terminals. */
export { type CommandRun, startCommand } from './command-run.ts';
export type { SessionRecord, Terminal } from './session.ts';
export { ShellSessions } from './shells.ts';
