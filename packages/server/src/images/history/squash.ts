import type { NamedImage } from '@walt/contract';
import type { Catalogue, Expected } from '../catalogue/index.ts';
import { addLayer, archive, deletions, type LayerParts, layerOf, withoutPhantoms } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { DigestRecord, ImageRecord } from '../types.ts';
import type { ImageHistory } from './image-history.ts';

interface Deps extends LayerParts {
  catalogue: Catalogue;
  history: ImageHistory;
}

export interface SquashTask {
  user: string;
  image: ImageRecord;
  target: NamedImage;
  /** What `target` must point to until then. */
  expected: Expected;
  report: Report;
  signal: AbortSignal;
}

/**
 * Makes an image of one layer with the same files and configuration, and points `target` there. An image of one layer is left as
 * it is. Throws UserError CONFLICT when `target` moves meanwhile, NOT_FOUND when the image was given up.
 */
export async function squash(
  deps: Deps,
  { user, image, target: { owner, name }, expected, report, signal }: SquashTask,
): Promise<{ image: ImageRecord; changed: boolean }> {
  const { catalogue, history, store } = deps;
  const target = { owner, name };
  const move = { user, action: 'squash', detail: `${image.owner}/${image.name}`, from: [image] } as const;
  await catalogue.check(target, expected);
  return history.whileKept([image], async () => {
    if (image.layers.length <= 1) {
      await catalogue.point(target, image, expected, move);
      return { image: { ...image, ...target }, changed: false };
    }
    let made: DigestRecord | undefined;
    const deleted = await deletions(store, image.digest);
    await withoutPhantoms(deps, { image, deleted, report, signal }, async (base) => {
      made = await store.withMounted(base.digest, (root) =>
        addLayer(deps, {
          ...{ base, mode: 'replace', createdBy: 'walt image squash', report, signal },
          tar: layerOf(archive(root, { names: [Buffer.from('.')], signal })),
          onBytes: (done) =>
            report('Reading the image', { done, total: Math.max(done, image.size), unit: 'bytes' }),
          point: (record) => catalogue.point(target, record, expected, move),
        }),
      );
    });
    return { image: { ...image, ...made, ...target }, changed: true };
  });
}
