/** Serial consoles of nodes, and what they printed. */
export { capConsoleLog, clearConsoleLog } from './console-log.ts';
export { type ConsolePort, Consoles } from './consoles.ts';
