import { PLATFORM_OWNER } from '@walt/contract';
import { defaultImageName } from './architectures.ts';
import type { Catalogue } from './catalogue.ts';
import type { Report } from './progress.ts';
import type { Store } from './store.ts';
import type { DigestRecord, PrepareBoot } from './types.ts';
import type { Volumes } from './volumes.ts';

interface Deps {
  catalogue: Catalogue;
  store: Store;
  volumes: Volumes;
  prepareBoot: PrepareBoot;
}

/**
 * Makes all that nodes need to boot an image of the store: a volume per layer, the boot files. Each step finds what an
 * earlier run of it made, so that it may be repeated after a crash. Nothing refers to it before its name is pointed there.
 */
export async function adopt(deps: Deps, digest: string, report: Report): Promise<DigestRecord> {
  const { catalogue, store, volumes, prepareBoot } = deps;
  const { architecture, created, size, layers, config } = await store.inspect(digest);
  const making = async () => {
    for (const [index, layer] of layers.entries()) {
      report('Making the volumes that nodes mount', { done: index, total: layers.length, unit: 'layers' });
      await volumes.ensure(layer);
    }
    report('Making the boot files');
  };
  const withLender = async <T>(use: (lender: { digest: string; root: string }) => Promise<T>) => {
    const lender = await catalogue.find({ owner: PLATFORM_OWNER, name: defaultImageName(architecture) });
    return lender && store.withMounted(lender.digest, (root) => use({ digest: lender.digest, root }));
  };
  // Side by side: the one packs, the other mostly reads. Both have ended before anybody hears of a failure.
  const [boot, made] = await Promise.allSettled([
    store.withMounted(digest, (root) => prepareBoot({ digest, architecture, config, withLender, root })),
    making(),
  ]);
  if (made.status === 'rejected') throw made.reason;
  if (boot.status === 'rejected') throw boot.reason;
  return { digest, architecture, created, size, layers: layers.map((layer) => layer.diffId), ...boot.value };
}
