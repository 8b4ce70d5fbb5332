/** A thread that looks at many files. */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { SampleOrder } from './incompressible.ts';
import { isIncompressible } from './samples.ts';

const { folder, names } = workerData as SampleOrder;
parentPort?.postMessage(names.filter((name) => isIncompressible(join(folder, name))));
