import { clearance, deletion, LayerHeaders, padding } from '../layers/index.ts';
import type { LayerPlan } from '../saves/index.ts';
import { originOf, type SentFile, type SentTree } from './sent-tree.ts';

/** What overlayfs notes for itself says nothing about the files that it shows. */
const OVERLAY = 'trusted.overlay.';

/** The tar of the layer that was planned of what was sent. Deletions come first (OCI image-spec layer.md). */
export async function* sentLayer(tree: SentTree, plan: LayerPlan): AsyncGenerator<Buffer> {
  for (const path of plan.cleared) yield clearance(path.slice(1));
  for (const path of plan.deleted) yield deletion(path.slice(1));
  const headers = new LayerHeaders();
  /** The first name that each file has in the layer: what came first on the node may be left out. */
  const told = new Map<SentFile, string>();
  for (const absolute of plan.entries) {
    const file = tree.find(absolute);
    if (!file) throw new TypeError(`${absolute} is planned, and was not sent`);
    const origin = originOf(file);
    const path = absolute.slice(1);
    const { attributes: all } = origin.header;
    const attributes = new Map([...all].filter(([name]) => !name.startsWith(OVERLAY)));
    const first = told.get(origin);
    if (first !== undefined) {
      const link = {
        type: 'hard-link',
        target: first,
        size: 0,
        attributes: new Map<string, string>(),
      } as const;
      yield headers.render({ ...origin.header, path, ...link });
      continue;
    }
    if (origin.names > 1) told.set(origin, path);
    yield headers.render({ ...origin.header, path, attributes });
    if (origin.header.type !== 'file') continue;
    yield* tree.contentOf(origin);
    yield padding(origin.header.size);
  }
  yield headers.end();
}
