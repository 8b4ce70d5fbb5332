/**
 * What registries say about an image: manifests and indexes (OCI image-spec manifest.md, image-index.md; Docker's
 * "Image Manifest Version 2, Schema 2", which has the same fields), and the image's configuration (config.md).
 */
import { createHash } from 'node:crypto';
import { type Architecture, digest } from '@walt/contract';
import * as z from 'zod';
import { UserError } from '../../platform/index.ts';
import { fromOci, ociName } from '../architectures.ts';
import { printable } from '../printable.ts';

const descriptor = z.object({ digest, size: z.int().min(0) });

/** Overlayfs in the store has no more (containers/storage's `maxDepth` is 128, with the container's own). */
const MAX_LAYERS = 127;

const manifest = z.object({
  config: descriptor,
  layers: z.array(
    // Programs that copy an image fetch such a layer from wherever it says.
    descriptor.extend({ urls: z.array(z.unknown()).max(0, { error: 'elsewhere' }).nullish() }),
  ),
});

const index = z.object({
  manifests: z.array(
    descriptor.extend({
      platform: z
        .object({ architecture: z.string(), os: z.string(), variant: z.string().optional() })
        .optional(),
    }),
  ),
});

const words = z.array(z.string()).nullish();
const time = z.iso.datetime({ offset: true }).nullish();
const anything = z.looseObject({}).nullish();

/** All that programs of containers/image read of it: what they do not understand, they would complain of in their own words. */
const configuration = z.object({
  architecture: z.string(),
  os: z.string(),
  created: time,
  author: z.string().nullish(),
  rootfs: z.object({ type: z.string().nullish(), diff_ids: z.array(digest) }),
  history: z
    .array(
      z.object({
        created: time,
        created_by: z.string().nullish(),
        comment: z.string().nullish(),
        author: z.string().nullish(),
        empty_layer: z.boolean().nullish(),
      }),
    )
    .nullish(),
  config: z
    .object({
      Labels: z.record(z.string(), z.string()).nullish(),
      ...{ Env: words, Entrypoint: words, Cmd: words, OnBuild: words, Shell: words },
      ...{ User: z.string().nullish(), WorkingDir: z.string().nullish(), StopSignal: z.string().nullish() },
      ...{ Volumes: anything, ExposedPorts: anything, Healthcheck: anything },
    })
    .nullish(),
});

export interface Manifest {
  kind: 'manifest';
  /** Digest and bytes of the configuration; the digest is the image's identity here. */
  config: Descriptor;
  /** As they travel, packed; bottom first. */
  layers: Descriptor[];
}

export interface Descriptor {
  digest: string;
  size: number;
}

export interface Index {
  kind: 'index';
  images: { digest: string; architecture: string; variant: string | undefined }[];
}

export function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Throws UserError INVALID for what is no image. `what` is the link, for the message. */
export function parseManifest(text: string, what: string): Manifest | Index {
  const data = parseJson(text);
  const many = index.safeParse(data);
  if (many.success) {
    const images = many.data.manifests.flatMap(({ digest, platform }) =>
      platform?.os === 'linux'
        ? [{ digest, architecture: platform.architecture, variant: platform.variant }]
        : [],
    );
    return { kind: 'index', images };
  }
  const one = manifest.safeParse(data);
  if (!one.success) {
    if (one.error.issues.some(({ message }) => message === 'elsewhere')) throw layersElsewhere(what);
    throw noImage(what);
  }
  const { config, layers } = one.data;
  if (layers.length > MAX_LAYERS) throw tooManyLayers(what, layers.length);
  const plain = layers.map(({ digest, size }) => ({ digest, size }));
  return { kind: 'manifest', config, layers: plain };
}

/**
 * The image of an index for one architecture. Where there are several, as for generations of ARM, the one that nodes are known
 * to run is preferred. Throws UserError INVALID that names what the index has.
 */
export function chooseImage({ images }: Index, architecture: Architecture, what: string): string {
  const { oci, variant } = ociName(architecture);
  const fitting = images.filter((image) => image.architecture === oci);
  const chosen = fitting.find((image) => image.variant === variant) ?? fitting[0];
  if (chosen) return chosen.digest;
  const known = [...new Set(images.flatMap((image) => knownArchitecture(image.architecture) ?? []))];
  throw new UserError(
    'INVALID',
    `${what} has no image for ${architecture}.`,
    known.length > 0
      ? `It has one for ${known.join(', ')}: pass --arch.`
      : 'None of its images is for a CPU that nodes have.',
  );
}

/** What an image's configuration says that must be known before the image is there. Throws UserError INVALID for one that no node can boot. */
export function parseConfiguration(
  text: string,
  what: string,
): { architecture: Architecture; diffIds: string[]; labels: Record<string, string> } {
  const result = configuration.safeParse(parseJson(text));
  if (!result.success) throw noImage(what, result.error.issues[0]?.path);
  const { architecture, os, rootfs, config } = result.data;
  if (os !== 'linux') {
    throw new UserError(
      'INVALID',
      `${what} is for the system "${printable(os)}".`,
      'Nodes boot images for Linux.',
    );
  }
  return { architecture: fromOci(architecture), diffIds: rootfs.diff_ids, labels: config?.Labels ?? {} };
}

function knownArchitecture(oci: string): Architecture | undefined {
  try {
    return fromOci(oci);
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function noImage(what: string, field: readonly PropertyKey[] = []): UserError {
  const where = field.length > 0 ? ` (${printable(field.map(String).join('.'))} in its configuration)` : '';
  return new UserError(
    'INVALID',
    `${what} is not an image that WalT understands${where}.`,
    'It must be an OCI image, or a Docker image of schema 2.',
  );
}

function layersElsewhere(what: string): UserError {
  return new UserError(
    'INVALID',
    `${what} has layers that do not lie in its registry.`,
    'WalT fetches images from the registry itself only. Copy the image with all its layers to it first.',
  );
}

function tooManyLayers(what: string, count: number): UserError {
  return new UserError(
    'INVALID',
    `${what} has ${count} layers; an image can have ${MAX_LAYERS} at most.`,
    'Make one of fewer layers of it first.',
  );
}
