/** Default images for boards. */
import { type Architecture, fullName } from '@walt/contract';
import { findModel, type Model, models } from '../../models/index.ts';
import { isUserError, UserError } from '../../platform/index.ts';
import type { RaspiFirmware } from '../recipes/index.ts';
import type { ImageRecord } from '../types.ts';

/** Throws UserError INVALID for a board that nobody knows, or that boots no such images. */
export function boardFor(name: string, architecture: Architecture | undefined): Model {
  const board = findModel(name);
  if (!board) {
    throw new UserError(
      'INVALID',
      `No board of the model ${name} is known.`,
      `These are: ${models.map((model) => model.name).join(', ')}.`,
    );
  }
  if (architecture !== undefined && !board.images.includes(architecture)) {
    throw new UserError(
      'INVALID',
      `${name} boots images for ${board.images.join(', ')}, not for ${architecture}.`,
      'Leave out --arch.',
    );
  }
  return board;
}

/** For an image that is made, and is not for that board. */
export function notFor(image: ImageRecord, model: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `${fullName(image)} is there for ${image.models.join(', ')}, but its kernel ${image.kernel} does not know ${model}.`,
    `Give ${model} an image with a newer kernel: walt image build, walt image clone.`,
  );
}

/** Fetches firmware; answers why it cannot be had where it may not be fetched. */
export async function lackOf(
  firmware: Pick<RaspiFirmware, 'ensure'>,
  options: { renew: boolean; signal: AbortSignal },
): Promise<string | null> {
  try {
    await firmware.ensure(options);
    return null;
  } catch (error) {
    if (!isUserError(error)) throw error;
    return `${error.message} ${error.hint}`;
  }
}
