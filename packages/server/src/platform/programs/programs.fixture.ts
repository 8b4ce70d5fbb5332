/** A server to be killed, for programs.test.ts: FOLDER SECONDS. Tells that it is about to start its program. */
import { join } from 'node:path';
import { createLog } from '../logs/index.ts';
import { Programs } from './programs.ts';

const [folder, seconds] = process.argv.slice(2);
if (folder === undefined || seconds === undefined) throw new TypeError('arguments: FOLDER SECONDS');
const log = { ...createLog('fixture'), info() {} };
const programs = new Programs({ logs: join(folder, 'logs'), programs: join(folder, 'programs') }, log);
process.stdout.write('go\n');
await programs.ensure({ name: 'fixture', argv: ['sleep', seconds] });
setInterval(() => {}, 1_000);
