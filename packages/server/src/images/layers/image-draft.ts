/**
 * Manifest and configuration of an image that is made from another one and a new layer (OCI image-spec manifest.md, config.md;
 * Docker's "Image Manifest Version 2, Schema 2"). What they say that is not about layers stays as it is.
 */
import * as z from 'zod';
import { type Descriptor, sha256 } from './oci-manifest.ts';

export interface StoredDocuments {
  /** Both as they are stored. */
  manifest: string;
  configuration: string;
}

export interface NewLayer {
  /** `replace`: the new layer is all that there is. */
  mode: 'add' | 'replace';
  /** Those of the origin, bottom first: diff IDs, bytes as tars. */
  below: readonly Descriptor[];
  /** Digest of the tar, which is its diff ID, and bytes. */
  layer: Descriptor;
  /** RFC 3339. */
  created: string;
  createdBy: string;
}

export interface Draft {
  manifest: string;
  configuration: string;
  /** Of the configuration: by it the image is known. */
  digest: string;
  /** Diff IDs, bottom first. */
  layers: string[];
}

const anything = z.looseObject({});
const manifestShape = z.looseObject({
  mediaType: z.string().optional(),
  config: z.looseObject({ mediaType: z.string() }),
  annotations: z.record(z.string(), z.string()).optional(),
});
const configurationShape = z.looseObject({ history: z.array(anything).nullish() });

const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';

/** What tells of the layers that were, or of the container that an image was made in. */
const OF_THE_PAST = [
  'container',
  'container_config',
  'parent',
  'parent_id',
  'id',
  'history',
  'rootfs',
  'created',
];

export function draftImage(
  origin: StoredDocuments,
  { mode, below, layer, created, createdBy }: NewLayer,
): Draft {
  const known = configurationShape.parse(JSON.parse(origin.configuration));
  const steps = mode === 'add' ? (known.history ?? []) : [];
  const stack = mode === 'add' ? [...below, layer] : [layer];
  const layers = stack.map(({ digest }) => digest);
  const kept = Object.entries(known).filter(([key]) => !OF_THE_PAST.includes(key));
  const configuration = JSON.stringify({
    created,
    ...Object.fromEntries(kept),
    rootfs: { type: 'layers', diff_ids: layers },
    history: [...steps, { created, created_by: createdBy }],
  });
  const digest = sha256(configuration);
  const manifest = plainManifest(origin.manifest, stack, { digest, size: Buffer.byteLength(configuration) });
  return { manifest, configuration, digest, layers };
}

/** Of an image whose layers are these plain tars, bottom first, in the form of the manifest `text`. */
export function plainManifest(text: string, stack: readonly Descriptor[], config: Descriptor): string {
  const known = manifestShape.parse(JSON.parse(text));
  const docker = known.mediaType === DOCKER;
  const layerType = docker
    ? 'application/vnd.docker.image.rootfs.diff.tar'
    : 'application/vnd.oci.image.layer.v1.tar';
  // What names the base image is about the layers that were.
  const annotations = Object.entries(known.annotations ?? {}).filter(
    ([key]) => !key.startsWith('org.opencontainers.image.base.'),
  );
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: docker ? DOCKER : OCI,
    config: { mediaType: known.config.mediaType, ...config },
    layers: stack.map(({ digest, size }) => ({ mediaType: layerType, digest, size })),
    ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
  });
}
