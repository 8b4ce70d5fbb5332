/** What podman stores of an image, as its configuration describes it. */
import type { Architecture } from '@walt/contract';
import * as z from 'zod';
import type { ImageConfig } from '../../boot/index.ts';
import { UserError } from '../../platform/index.ts';
import { fromOci } from '../architectures.ts';

/** An image as podman stores it. */
export interface StoredImage {
  digest: string;
  architecture: Architecture;
  /** Unix time in seconds; 0: unknown. */
  created: number;
  size: number;
  /** Bottom first. */
  layers: PresentLayer[];
  config: ImageConfig;
}

export interface StoredLayer {
  diffId: string;
  /** Folder that holds what this layer adds, with whiteouts as overlayfs keeps them. */
  folder: string;
  /** Bytes, unpacked; null: the store does not know. */
  size?: number | null;
}

/** A layer that is there as a whole. */
export type PresentLayer = Required<StoredLayer>;

const words = z.array(z.string()).nullish();

/** OCI image-spec config.md: nothing but these three need be there. */
const configuration = z.object({
  architecture: z.string(),
  created: z.string().nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
  config: z
    .object({
      Entrypoint: words,
      Cmd: words,
      Env: words,
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
});

/**
 * Pure: an image of these layers and this configuration (JSON). Throws UserError INVALID when it names other layers. `called` is what
 * its user calls it.
 */
export function describeStored(stored: {
  digest: string;
  called: string;
  layers: PresentLayer[];
  configuration: string;
}): StoredImage {
  const { digest, called, layers } = stored;
  const { architecture, created, rootfs, config } = configuration.parse(JSON.parse(stored.configuration));
  const wrong = rootfs.diff_ids.findIndex((diffId, at) => layers[at]?.diffId !== diffId);
  if (wrong >= 0 || layers.length !== rootfs.diff_ids.length) throw otherLayers(called, wrong);
  return {
    digest,
    architecture: fromOci(architecture),
    created: secondsOf(created),
    size: layers.reduce((sum, { size }) => sum + (size ?? 0), 0),
    layers,
    config: {
      entrypoint: config?.Entrypoint ?? [],
      cmd: config?.Cmd ?? [],
      env: config?.Env ?? [],
      workdir: config?.WorkingDir ?? '',
      user: config?.User ?? '',
      labels: config?.Labels ?? {},
    },
  };
}

/** Unix time; the epoch for what says no time, or one before it. */
function secondsOf(time: string | null | undefined): number {
  return Math.max(0, Math.floor(Date.parse(time ?? '') / 1000)) || 0;
}

function otherLayers(called: string, at: number): UserError {
  const which = at < 0 ? 'more layers than' : `another layer ${at + 1} than`;
  return new UserError(
    'INVALID',
    `${called} is not what it says: it has ${which} its configuration names.`,
    'Do not use it: somebody may want it to pass for another image. Tell whoever made it.',
  );
}
