/** Serial consoles of nodes, and what they printed. */
export { ConsoleFollower, type ConsolePart, type KeepConsole } from './console-follower.ts';
export {
  CONSOLE_LOG_LIMIT,
  CONSOLE_LOG_PATIENCE,
  capConsoleLog,
  clearConsoleLog,
  consoleLogSize,
  olderConsoleLog,
} from './console-log.ts';
export { type ConsolePort, Consoles } from './consoles.ts';
export { ConsoleRecorder } from './recorder.ts';
