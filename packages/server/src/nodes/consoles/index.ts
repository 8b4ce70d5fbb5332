/** Serial consoles of nodes, and what they printed. */
export { ConsoleFollower, type ConsolePart, type KeepConsole } from './console-follower.ts';
export {
  CONSOLE_LOG_LIMIT,
  capConsoleLog,
  clearConsoleLog,
  consoleLogSize,
  olderConsoleLog,
} from './console-log.ts';
export { type ConsolePort, Consoles } from './consoles.ts';
