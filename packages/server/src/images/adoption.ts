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
  for (const [index, layer] of layers.entries()) {
    report('Making the volumes that nodes mount', { done: index, total: layers.length, unit: 'layers' });
    await volumes.ensure(layer);
  }
  report('Making the boot files');
  const withLender = async <T>(use: (lender: { digest: string; root: string }) => Promise<T>) => {
    const lender = await catalogue.find({ owner: PLATFORM_OWNER, name: defaultImageName(architecture) });
    return lender && store.withMounted(lender.digest, (root) => use({ digest: lender.digest, root }));
  };
  const image = { digest, architecture, config, withLender };
  const boot = await store.withMounted(digest, (root) => prepareBoot({ ...image, root }));
  return { digest, architecture, created, size, layers: layers.map((layer) => layer.diffId), ...boot };
}
