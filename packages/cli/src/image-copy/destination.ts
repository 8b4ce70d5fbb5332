/** Where a copy lands, by the rules of cp(1) and scp(1). */
import { basename, dirname } from 'node:path';

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
