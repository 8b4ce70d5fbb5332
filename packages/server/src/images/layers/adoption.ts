import { PLATFORM_OWNER } from '@walt/contract';
import { inParallel } from '../../platform/index.ts';
import { defaultImageName } from '../architectures.ts';
import type { Catalogue } from '../catalogue/index.ts';
import type { Report } from '../progress.ts';
import type { PresentLayer, Store } from '../store/index.ts';
import type { DigestRecord, PrepareBoot } from '../types.ts';
import type { Volumes, VolumesAhead } from './volumes.ts';

interface Deps {
  catalogue: Catalogue;
  store: Store;
  volumes: Volumes;
  prepareBoot: PrepareBoot;
}

/** What is known of an image's making. */
export interface Provenance {
  ahead?: VolumesAhead | undefined;
  /** Digest. */
  base?: string | undefined;
  /** What its user calls it. */
  called?: string | undefined;
  /** Set: its boot files may be damaged, and are made again. */
  anew?: boolean;
}

/** Volumes that are made at a time: mkfs.erofs has one thread, and a large layer must not keep those above it waiting. */
const MAKERS = 2;
/** Milliseconds between two words about how far they are. */
const TELL_MS = 250;

/**
 * Makes all that nodes need to boot an image of the store: a volume per layer, the boot files. Each step finds what an
 * earlier run of it made, so that it may be repeated after a crash. Nothing refers to it before its name is pointed there.
 * Volumes are taken from `ahead` where it has them; `base` is the image that it is a change of.
 * Throws UserError INVALID for an image that has other layers than it says.
 */
export async function adopt(
  deps: Deps,
  digest: string,
  report: Report,
  { ahead, base, called, anew }: Provenance = {},
): Promise<DigestRecord> {
  const { catalogue, store, volumes, prepareBoot } = deps;
  const { architecture, created, size, layers, config } = await store.inspect(digest, called);
  const making = async () => {
    await makeVolumes(volumes, layers, report, ahead);
    report('Making the boot files');
  };
  const withLender = async <T>(use: (lender: { digest: string; root: string }) => Promise<T>) => {
    const lender = await catalogue.find({ owner: PLATFORM_OWNER, name: defaultImageName(architecture) });
    return lender && store.withMounted(lender.digest, (root) => use({ digest: lender.digest, root }));
  };
  // Side by side: the one packs, the other mostly reads. Both have ended before anybody hears of a failure.
  const [boot, made] = await Promise.allSettled([
    store.withMounted(digest, (root) =>
      prepareBoot({ digest, architecture, config, withLender, root, base, anew }),
    ),
    making(),
  ]);
  if (made.status === 'rejected') throw made.reason;
  if (boot.status === 'rejected') throw boot.reason;
  if (boot.value.bootPlan === 'nfs-root') for (const layer of layers) await volumes.ensureTree(layer);
  return { digest, architecture, created, size, layers: layers.map((layer) => layer.diffId), ...boot.value };
}

/** Some at a time; the first failure begins no more, and is told when all have ended. How far they are is told every `tellMs`. */
export async function makeVolumes(
  volumes: Pick<Volumes, 'ensure' | 'packed'>,
  layers: readonly PresentLayer[],
  report: Report,
  ahead?: VolumesAhead,
  tellMs = TELL_MS,
): Promise<void> {
  // An image may have the same layer twice.
  const all = [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
  const done = new Set<PresentLayer>();
  const tell = () => {
    const amount = { done: sumOf(all, packed), total: sumOf(all, sizeOf), unit: 'bytes' as const };
    report('Making the volumes that nodes mount', amount);
  };
  const packed = (layer: PresentLayer) =>
    done.has(layer) ? sizeOf(layer) : Math.min(sizeOf(layer), volumes.packed(layer.diffId));
  const telling = setInterval(tell, tellMs);
  try {
    await inParallel(all, MAKERS, async (layer) => {
      tell();
      await volumes.ensure(layer, ahead);
      done.add(layer);
    });
  } finally {
    clearInterval(telling);
  }
}

/** What the store does not know the size of counts as little. */
function sizeOf({ size }: PresentLayer): number {
  return size ?? 1;
}

function sumOf<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((sum, one) => sum + value(one), 0);
}
