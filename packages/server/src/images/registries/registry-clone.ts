import { type Architecture, formatImageLink, type RegistryLink } from '@walt/contract';
import { UserError } from '../../platform/index.ts';
import type { Committer } from '../layers/index.ts';
import {
  chooseImage,
  deletions,
  type Manifest,
  parseConfiguration,
  parseManifest,
  sha256,
  withoutPhantoms,
} from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { RegistryGate } from '../registry-gate/index.ts';
import { damaged, explainCopying } from '../registry-gate/index.ts';
import type { Skopeo } from '../store/index.ts';
import type { DigestRecord } from '../types.ts';
import { type ArrivalParts, receiveLayers } from './arrival.ts';

export interface CloneParts extends ArrivalParts {
  skopeo: Skopeo;
  committer: Committer;
}

export interface CloneTask {
  link: RegistryLink;
  gate: RegistryGate;
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
  const { gate, link, report, signal, described, point } = task;
  report(`Asking ${gate.access.host}`);
  const { manifestDigest, manifest, diffIds, labels } = await describe(task);
  await described(labels);
  const { digest } = manifest.config;
  let looking: Promise<string[]> | undefined;
  const look = () => {
    looking ??= deletions(parts.store, digest);
    looking.catch(() => {});
    return looking;
  };
  let record: DigestRecord | undefined;
  const received = await parts.committer.receive({
    ...{ digest, called: formatImageLink(link), layers: diffIds, report },
    point: async (image) => {
      record = await withoutPhantoms(parts, { image, deleted: await look(), report, signal }, point);
    },
    fetch: async () => {
      const ahead = await receiveLayers(parts, {
        ...{ layers: manifest.layers, diffIds, report, signal },
        bytes: () => gate.moved,
        copy: async (temporary, until) => {
          const blobs = Object.fromEntries(manifest.layers.map((layer) => [layer.digest, layer.size]));
          const door = await gate.open(link.repository, blobs);
          await parts.skopeo
            .copyIn({ door, version: `@${manifestDigest}`, digest, temporary, signal: until })
            .catch(async (error: unknown) => {
              throw await explainCopying(error, gate, named(link));
            });
        },
      });
      // While volumes are made.
      void look();
      return ahead;
    },
  });
  return { record: record ?? received, manifestDigest };
}

async function describe({ gate, link, wanted, server }: CloneTask): Promise<Described> {
  const { label, host } = gate.access;
  const what = `${label}:${link.repository}`;
  const asked = { label, host, what: named(link) };
  const manifestText = async (reference: string) => gate.manifest(link.repository, reference);
  let text = await manifestText(link.digest ?? link.tag ?? 'latest');
  let manifestDigest = link.digest ?? sha256(text);
  if (sha256(text) !== manifestDigest) throw damaged(asked);
  let manifest = parseManifest(text, what);
  if (manifest.kind === 'index') {
    manifestDigest = chooseImage(manifest, wanted ?? server, what);
    text = await manifestText(manifestDigest);
    if (sha256(text) !== manifestDigest) throw damaged(asked);
    manifest = parseManifest(text, what);
  }
  if (manifest.kind === 'index') {
    throw new UserError('INVALID', `${what} is an index of indexes.`, 'Name one of its images by digest.');
  }
  // From here on all is named by digest: the tag may move meanwhile.
  const configuration = await gate.blob(link.repository, manifest.config.digest);
  if (sha256(configuration) !== manifest.config.digest) throw damaged(asked);
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
      `Tell whoever runs ${host}.`,
    );
  }
  return { manifestDigest, manifest, architecture, diffIds, labels };
}

/** As users name it, without the registry. */
function named({ repository, tag = 'latest', digest }: RegistryLink): string {
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}
