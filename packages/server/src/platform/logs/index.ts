/** The journal and the logs of outside programs: lines, bounds, parts. */
export { followLog, lastLines } from './journal.ts';
export { createLog, eventText, type Fields, type Log } from './log.ts';
export { LogRotation, rotateLog } from './log-rotation.ts';
export { rarely } from './rarely.ts';
