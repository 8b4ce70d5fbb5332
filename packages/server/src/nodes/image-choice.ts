import { type Architecture, PLATFORM_OWNER, parseImageReference } from '@walt/contract';
import { type Caller, demand } from '../access/index.ts';
import { defaultImageName, type ImageRecord, type Images } from '../images/index.ts';
import { findModel } from '../models/index.ts';
import { isUserError, UserError } from '../platform/index.ts';

/** What a default image must fit. */
export interface Hardware {
  model: string;
  architecture: Architecture;
}

/**
 * A board of which nothing but its name is known boots what its CPU can, unless the image brings boot scripts of its own: whether the
 * kernel has its device tree shows when it boots.
 */
function isFor(image: ImageRecord, { model, architecture }: Hardware): boolean {
  if (image.models.includes(model)) return true;
  return (
    findModel(model) === undefined && image.architecture === architecture && image.bootPlan === 'volumes'
  );
}

/** Which images nodes may be given. */
export class ImageChoice {
  readonly #images: Pick<Images, 'get' | 'getSeen' | 'duplicate'>;

  constructor(images: Pick<Images, 'get' | 'getSeen' | 'duplicate'>) {
    this.#images = images;
  }

  /** The caller's own copy of the default image for his hardware; made when he has none. */
  async ownDefault(hardware: Hardware, caller: Caller): Promise<ImageRecord> {
    const image = await this.default(hardware, caller);
    if (image.owner === caller.user) return image;
    const target = { owner: caller.user, name: image.name };
    return this.#images.duplicate(caller.user, image, target, false);
  }

  /** The caller's own default image for his hardware if he has one, else the platform's. Throws as `platformDefault`. */
  async default(hardware: Hardware, caller: Caller): Promise<ImageRecord> {
    const own = await this.#find(caller.user, await this.defaultName(hardware));
    return own ?? this.platformDefault(hardware);
  }

  /** Throws UserError UNAVAILABLE when the platform has none. */
  async platformDefault(hardware: Hardware): Promise<ImageRecord> {
    const image = await this.#find(PLATFORM_OWNER, await this.defaultName(hardware));
    if (image) return image;
    const { model, architecture } = hardware;
    throw new UserError(
      'UNAVAILABLE',
      `This platform has no default image for ${model} yet.`,
      `Make it with: walt advanced update-default-images --arch ${architecture}`,
    );
  }

  /** Name of the platform's image for a model, and of users' copies of it: that of its architecture if the model has none of its own. */
  async defaultName({ model, architecture }: Hardware): Promise<string> {
    const own = `${model}-default`;
    return (await this.#find(PLATFORM_OWNER, own)) ? own : defaultImageName(architecture);
  }

  /**
   * What a node boots if it is that hardware: of a free one, the default image's name; undefined: the image that its owner chose, since
   * it fits. Throws UserError INVALID when it does not.
   */
  async nameFor(
    node: { name: string; image_owner: string; image_name: string },
    hardware: Hardware,
  ): Promise<string | undefined> {
    if (node.image_owner === PLATFORM_OWNER) return await this.defaultName(hardware);
    const image = await this.#images.get(node.image_owner, node.image_name);
    if (isFor(image, hardware)) return undefined;
    throw new UserError(
      'INVALID',
      `${node.name} boots ${image.owner}/${image.name}, which is an image for ${image.models.join(', ')}, not for ${hardware.model}.`,
      `Release the node first: walt node release ${node.name}`,
    );
  }

  /**
   * The image that a caller means, if he may boot it (his own, the platform's, or that of `lender`, who lets him use the nodes) and all
   * that hardware can.
   */
  async bootable(
    reference: string,
    caller: Caller,
    all: readonly Hardware[],
    lender?: string,
  ): Promise<ImageRecord> {
    const { owner, name } = parseImageReference(reference, caller.user);
    demand('image.boot', caller, { owner, name, lent: owner === lender });
    const image = await this.#images.getSeen(caller, { owner, name });
    const unfit = all.find((hardware) => !isFor(image, hardware))?.model;
    if (unfit !== undefined) {
      throw new UserError(
        'INVALID',
        `${owner}/${name} is an image for ${image.models.join(', ') || image.architecture}, not for ${unfit}.`,
        'See what each image is for with: walt image show --all',
      );
    }
    if (image.kernel === null || image.bootPlan === null) {
      const { architecture } = image;
      throw new UserError(
        'INVALID',
        `${owner}/${name} lacks what a node needs (${image.lends.join(', ') || 'kernel'}), and there is no default image for ${architecture} that could lend it.`,
        `Make that image: walt advanced update-default-images --arch ${architecture}`,
      );
    }
    return image;
  }

  async #find(owner: string, name: string): Promise<ImageRecord | undefined> {
    try {
      return await this.#images.get(owner, name);
    } catch (error) {
      if (isUserError(error) && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }
}
