/** Files that lz4 would not make smaller. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { projectFile } from '../checkout.ts';
import { run } from '../programs/index.ts';

/** In KiB. */
const LOOK_SIZE = 128;

/** What the thread is given; it answers those of the names. */
export interface SampleOrder {
  folder: string;
  names: readonly string[];
}

/**
 * As paths below the folder: mkfs.erofs 1.5 tries for a minute with 150 MB of them, and they are not smaller then. Told by samples,
 * always the same ones: equal content gives an equal volume. By a thread: the default image has 700 files of that size, and thousands
 * of reads that each wait for a turn of the server's take half a second while an image arrives.
 */
export async function incompressibleFiles(folder: string, only = ''): Promise<string[]> {
  const large = ['-type', 'f', '-size', `+${LOOK_SIZE - 1}k`, '-printf', '%P\\0'];
  const found = (await run(['find', join(folder, only), '-xdev', ...large])).split('\0');
  const listed = found.map((name) => (name === '' ? '' : join(only, name)));
  // A name that is no UTF-8 cannot be opened by what came through: such a file is compressed, whatever it holds.
  const names = listed.filter((name) => name !== '' && !name.includes('\uFFFD'));
  if (names.length === 0) return [];
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
