import { once } from 'node:events';
import type { Images } from '../images/index.ts';
import type { RootAct } from '../platform/index.ts';

/** For the server: answers where a copy of the database of now lies, and keeps the images that it names as long as somebody listens. */
export function holdImages(images: Pick<Images, 'holdAll'>, copy: () => Promise<{ path: string }>): RootAct {
  return async function* (signal) {
    const { result, hold } = await images.holdAll(copy);
    try {
      if (!signal.aborted) yield { copy: result.path };
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      hold.release();
    }
  };
}
