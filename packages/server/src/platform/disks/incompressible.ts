/** Files that lz4 would not make smaller. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { projectFile } from '../checkout.ts';
import { run } from '../programs/index.ts';
import { isIncompressible } from './samples.ts';

/** In KiB. */
const LOOK_SIZE = 128;
/** Of so many files, a thread takes longer to begin than to look. */
const FEW = 16;

/** What the thread is given; it answers those of the names. */
export interface SampleOrder {
  folder: string;
  names: readonly string[];
}

/**
 * As paths below the folder: mkfs.erofs 1.5 tries for a minute with 150 MB of them, and they are not smaller then. Told by samples,
 * always the same ones: equal content gives an equal volume.
 */
export async function incompressibleFiles(folder: string, only = ''): Promise<string[]> {
  const large = ['-type', 'f', '-size', `+${LOOK_SIZE - 1}k`, '-printf', '%P\\0'];
  const found = (await run(['find', join(folder, only), '-xdev', ...large])).split('\0');
  const listed = found.map((name) => (name === '' ? '' : join(only, name)));
  // A name that is no UTF-8 cannot be opened by what came through: such a file is compressed, whatever it holds.
  const names = listed.filter((name) => name !== '' && !name.includes('\uFFFD'));
  return names.length > FEW ? await byThread(folder, names) : await inTurns(folder, names);
}

async function inTurns(folder: string, names: readonly string[]): Promise<string[]> {
  const incompressible: string[] = [];
  for (const name of names) {
    if (isIncompressible(join(folder, name))) incompressible.push(name);
    await nextTurn();
  }
  return incompressible;
}

/** The default image has 700 such files: thousands of reads that each wait for a turn of the server's take twice as long. */
async function byThread(folder: string, names: readonly string[]): Promise<string[]> {
  const worker = new Worker(threadFile(), { workerData: { folder, names } satisfies SampleOrder });
  try {
    const [incompressible] = await once(worker, 'message');
    return incompressible as string[];
  } finally {
    await worker.terminate();
  }
}

/** The thread beside us: a source for tests, a bundle for the server. */
function threadFile(): string {
  if (import.meta.filename.endsWith('.ts')) return join(import.meta.dirname, 'sample-thread.ts');
  return projectFile('dist/server/sample-thread.js');
}
