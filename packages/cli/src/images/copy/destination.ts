/** Where a copy lands, by the rules of cp(1) and scp(1). */
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { AbortError, hasCode } from '@walt/client/errors';

export interface Landing {
  /** Existing folder in which the copy is made. */
  folder: string;
  /** Name of the copy in it; undefined: what the source folder contains goes there, not the folder itself. */
  name: string | undefined;
}

/** True for `FOLDER/.` and `.`: what the folder contains is meant. */
export function meansContent(path: string): boolean {
  return basename(path) === '.' || basename(path) === '..' || path === '/';
}

/** The path without what only says that it is a folder. */
export function withoutSlash(path: string): string {
  return path.replace(/(?<=[^/])(?:\/\.?)+$/, '');
}

/**
 * A slash behind a destination says that it is a folder: a file does not become that. Throws NOT_FOUND where nothing is `there`,
 * CONFLICT where something else is. `where`: the machine or image.
 */
export function requireFolderFor(
  destination: string,
  there: 'file' | 'folder' | 'other' | null,
  where: string,
): void {
  if (!/\/\.?$/.test(destination) || there === 'folder') return;
  if (there === null) {
    throw new AbortError(
      'NOT_FOUND',
      `There is no folder ${destination} in ${where}.`,
      'Make it first, or write the name of the copy without a slash behind it.',
    );
  }
  throw new AbortError(
    'CONFLICT',
    `${destination} is no folder in ${where}.`,
    'Write it without the slash to replace it.',
  );
}

/**
 * An existing folder takes the copy into it; otherwise the last part of `destination` is the copy's new name, or the new
 * folder that gets the content.
 */
export function landing(source: string, destination: string, destinationIsFolder: boolean): Landing {
  if (destinationIsFolder) {
    return { folder: destination, name: meansContent(source) ? undefined : basename(source) };
  }
  const trimmed = destination.length > 1 ? destination.replace(/\/+$/, '') : destination;
  return { folder: dirname(trimmed), name: basename(trimmed) };
}

/** The same on this machine. Throws NOT_FOUND where there is no folder for it. */
export async function landingHere(source: string, destination: string): Promise<Landing> {
  const place = landing(source, destination, await isFolder(destination));
  if (!(await isFolder(place.folder))) {
    throw new AbortError(
      'NOT_FOUND',
      `There is no folder ${place.folder} on this machine.`,
      'Make it first.',
    );
  }
  return place;
}

/** Of this machine; also true for a link to one. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}
