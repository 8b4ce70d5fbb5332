import { type Architecture, formatImageLink, type RegistryLink } from '@walt/contract';
import { UserError } from '../platform/index.ts';
import { receiveLayers } from './arrival.ts';
import type { Committer } from './committer.ts';
import { chooseImage, type Manifest, parseConfiguration, parseManifest, sha256 } from './oci-manifest.ts';
import type { Report } from './progress.ts';
import { explainRegistry } from './registry-failure.ts';
import type { RegistryAccess, Skopeo } from './skopeo.ts';
import type { Store } from './store.ts';
import type { DigestRecord } from './types.ts';
import type { Volumes } from './volumes.ts';

export interface CloneParts {
  skopeo: Skopeo;
  store: Store;
  volumes: Volumes;
  committer: Committer;
}

export interface CloneTask {
  link: RegistryLink;
  access: RegistryAccess;
  /** What the user wants, or undefined: the server's own, or whatever a link to a single image is for. */
  wanted: Architecture | undefined;
  server: Architecture;
  report: Report;
  signal: AbortSignal;
  /** Told the image's labels before anything else is fetched; ends the clone by what it throws. */
  described: (labels: Readonly<Record<string, string>>) => Promise<void>;
  point: (record: DigestRecord) => Promise<void>;
}

/** What a registry says about an image, checked, before anything of it is fetched. */
interface Described {
  /** `repository@digest` of the one image that is meant. */
  reference: string;
  manifestDigest: string;
  manifest: Manifest;
  architecture: Architecture;
  diffIds: string[];
  labels: Record<string, string>;
}

/**
 * Brings an image of a registry into the store and points a name to it. Answers its record and the digest of its manifest.
 * Throws UserError; then no name has moved, and layers that arrived are kept for the next attempt.
 */
export async function cloneImage(
  parts: CloneParts,
  task: CloneTask,
): Promise<{ record: DigestRecord; manifestDigest: string }> {
  const { access, report, signal, described, point } = task;
  report(`Asking ${access.host}`);
  const { reference, manifestDigest, manifest, diffIds, labels } = await describe(parts.skopeo, task);
  await described(labels);
  const { digest } = manifest.config;
  const record = await parts.committer.receive({
    ...{ digest, called: formatImageLink(task.link), layers: diffIds, report, point },
    fetch: () =>
      receiveLayers(parts, {
        ...{ layers: manifest.layers, diffIds, report, signal },
        copy: (temporary, until) =>
          parts.skopeo.copyIn(access, { reference, digest, temporary, signal: until }),
      }),
  });
  return { record, manifestDigest };
}

async function describe(skopeo: Skopeo, task: CloneTask): Promise<Described> {
  const { access, link, wanted, server } = task;
  const { label, repository, tag = 'latest' } = link;
  const what = `${label}:${repository}`;
  const asked = link.digest === undefined ? `${repository}:${tag}` : `${repository}@${link.digest}`;
  let text = await skopeo.manifest(access, asked);
  let manifestDigest = link.digest ?? sha256(text);
  requireDigest(text, manifestDigest, access, asked);
  let manifest = parseManifest(text, what);
  if (manifest.kind === 'index') {
    manifestDigest = chooseImage(manifest, wanted ?? server, what);
    text = await skopeo.manifest(access, `${repository}@${manifestDigest}`);
    requireDigest(text, manifestDigest, access, asked);
    manifest = parseManifest(text, what);
  }
  if (manifest.kind === 'index') {
    throw new UserError('INVALID', `${what} is an index of indexes.`, 'Name one of its images by digest.');
  }
  // From here on all is named by digest: the tag may move meanwhile.
  const reference = `${repository}@${manifestDigest}`;
  const configuration = await skopeo.configuration(access, reference);
  requireDigest(configuration, manifest.config.digest, access, asked);
  const { architecture, diffIds, labels } = parseConfiguration(configuration, what);
  if (wanted !== undefined && architecture !== wanted) {
    throw new UserError(
      'INVALID',
      `${what} is an image for ${architecture}, not for ${wanted}.`,
      'Leave out --arch.',
    );
  }
  if (diffIds.length !== manifest.layers.length) {
    throw new UserError(
      'EXTERNAL',
      `${what} is damaged: it has ${manifest.layers.length} layers and tells of ${diffIds.length}.`,
      `Tell whoever runs ${access.host}.`,
    );
  }
  return { reference, manifestDigest, manifest, architecture, diffIds, labels };
}

function requireDigest(text: string, digest: string, { label, host }: RegistryAccess, what: string): void {
  if (sha256(text) === digest) return;
  throw explainRegistry('digest mismatch', { label, host, what }) ?? new TypeError('unknown failure');
}
