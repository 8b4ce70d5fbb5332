/** A thread that reads lines: for one reader, in their order (tell.ts), or of some chunks, for whichever reader (search.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData } from './messages.ts';
import { serveSearches } from './search.ts';
import { tell } from './tell.ts';

if (!parentPort) throw new TypeError('this is a thread of a program');
const { order } = workerData as ThreadData;
if (order) await tell(order, parentPort);
else serveSearches(parentPort);
