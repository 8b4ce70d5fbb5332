import { refusal } from '../../access/index.ts';
import { isUserError } from '../../platform/index.ts';
import type { ImageHistory } from '../history/index.ts';
import { parseManifest } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { RegistryGate } from '../registry-gate/index.ts';
import { explainCopying } from '../registry-gate/index.ts';
import type { Skopeo, Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

/** Milliseconds between two words about what was sent. */
const TELL_MS = 500;

export interface PublishTask {
  image: ImageRecord;
  gate: RegistryGate;
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
  parts: { skopeo: Skopeo; store: Store; history: ImageHistory },
  task: PublishTask,
): Promise<string> {
  const { skopeo, store, history } = parts;
  const { image, gate, repository, tag, replace, report, signal } = task;
  const { label, host } = gate.access;
  const reference = `${repository}:${tag}`;
  report(`Asking ${host}`);
  const present = replace ? undefined : await digestThere(gate, repository, tag);
  if (present !== undefined && present !== image.digest) {
    throw refusal('registry.replace', { label, reference });
  }
  return history.whileKept([image], () =>
    store.withTemporary(async (temporary) => {
      const { length: total } = image.layers;
      let begun = 0;
      const tell = () => {
        const sent = gate.moved > 0 ? `, ${megabytes(gate.moved)} sent` : '';
        const done = Math.max(0, begun - 1);
        report(`Copying the image, layer ${begun} of ${total}${sent}`, { done, total, unit: 'layers' });
      };
      const onLayer = () => {
        begun = Math.min(begun + 1, total);
        tell();
      };
      const telling = setInterval(tell, TELL_MS);
      try {
        const door = await gate.open(repository);
        const { digest } = image;
        return await skopeo.copyOut({ door, version: `:${tag}`, digest, temporary, signal, onLayer });
      } catch (error) {
        throw await explainCopying(error, gate, reference);
      } finally {
        clearInterval(telling);
      }
    }),
  );
}

/** Digest of the image that has a name in a registry, `other` for what is no single image; undefined when there is none to be seen. */
async function digestThere(gate: RegistryGate, repository: string, tag: string): Promise<string | undefined> {
  try {
    const manifest = parseManifest(await gate.manifest(repository, tag), `${repository}:${tag}`);
    return manifest.kind === 'manifest' ? manifest.config.digest : 'other';
  } catch (error) {
    if (!isUserError(error)) throw error;
    if (error.code === 'INVALID') return 'other';
    // Docker Hub says "denied" for what does not exist. If there is a reason against publishing, the copying tells it.
    if (error.code === 'NOT_FOUND' || error.code === 'FORBIDDEN') return undefined;
    throw error;
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
