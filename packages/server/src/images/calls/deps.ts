import { fullName, type SavedImage } from '@walt/contract';
import type { Guests } from '../../access/index.ts';
import type { Images } from '../images.ts';
import type { OpenJobs } from '../jobs/index.ts';
import type { RaspiFirmware } from '../recipes/index.ts';
import type { ImageRecord } from '../types.ts';

/** What users' calls about images stand on. */
export interface CallDeps {
  images: Images;
  nodes: BootedImages;
  firmware: Pick<RaspiFirmware, 'ensure'>;
  /** Logins and groups of this machine. */
  logins: Pick<Guests, 'require'>;
}

/** What the calls stand on that open jobs, and the stream that attaches to them. */
export interface JobDeps extends CallDeps {
  jobs: OpenJobs;
}

/** What nodes/ answers; images know of no nodes. */
interface BootedImages {
  /** Names of the nodes that boot each image, by `owner/name`, sorted; images that no node boots are absent. */
  nodesByImage(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Names of the nodes that boot image `owner/name` and do not run `digest`, sorted. */
  outdated(image: string, digest: string): Promise<readonly string[]>;
}

/** What users are told of an image that they changed. */
export async function describeSaved(
  nodes: BootedImages,
  image: ImageRecord,
  changed: boolean,
): Promise<SavedImage> {
  const outdated = await nodes.outdated(fullName(image), image.digest);
  return { image: fullName(image), digest: image.digest, changed, nodes: [...outdated] };
}
