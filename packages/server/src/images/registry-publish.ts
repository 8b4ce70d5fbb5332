import { isUserError, UserError } from '../platform/index.ts';
import type { Committer } from './committer.ts';
import { parseManifest } from './oci-manifest.ts';
import type { Report } from './progress.ts';
import type { RegistryAccess, Skopeo } from './skopeo.ts';
import type { Store } from './store.ts';
import type { DigestRecord } from './types.ts';

export interface PublishTask {
  image: DigestRecord;
  access: RegistryAccess;
  repository: string;
  tag: string;
  /** True: another image of that name there may be replaced. */
  replace: boolean;
  report: Report;
  signal: AbortSignal;
}

/**
 * Copies an image to a registry. Answers the digest of its manifest there. Throws UserError that says why it may not, or
 * CONFIRM when the name is another image's there. A registry shows the name only when all layers have arrived.
 */
export async function publishImage(
  parts: { skopeo: Skopeo; store: Store; committer: Committer },
  task: PublishTask,
): Promise<string> {
  const { skopeo, store, committer } = parts;
  const { image, access, repository, tag, replace, report, signal } = task;
  const reference = `${repository}:${tag}`;
  report(`Asking ${access.host}`);
  const present = replace ? undefined : await digestThere(skopeo, access, reference);
  if (present !== undefined && present !== image.digest) {
    throw new UserError(
      'CONFIRM',
      `Registry "${access.label}" has another image ${reference} already; it would be replaced.`,
      'Choose another name with --name, or pass --yes to replace it.',
    );
  }
  const hold = await committer.hold(image.digest, image.layers);
  try {
    return await store.withTemporary((temporary) => {
      let begun = 0;
      const onLayer = () => {
        begun += 1;
        const { length } = image.layers;
        report(`Copying the image, layer ${begun} of ${length}`, {
          done: begun - 1,
          total: length,
          unit: 'layers',
        });
      };
      return skopeo.copyOut(access, { reference, digest: image.digest, temporary, signal, onLayer });
    });
  } finally {
    hold.release();
  }
}

/** Digest of the image that has a name in a registry, `other` for what is no single image; undefined when there is none to be seen. */
async function digestThere(
  skopeo: Skopeo,
  access: RegistryAccess,
  reference: string,
): Promise<string | undefined> {
  try {
    const manifest = parseManifest(await skopeo.manifest(access, reference), reference);
    return manifest.kind === 'manifest' ? manifest.config.digest : 'other';
  } catch (error) {
    if (!isUserError(error)) throw error;
    if (error.code === 'INVALID') return 'other';
    // Docker Hub says "denied" for what does not exist. If there is a reason against publishing, the copying tells it.
    if (error.code === 'NOT_FOUND' || error.code === 'FORBIDDEN') return undefined;
    throw error;
  }
}
