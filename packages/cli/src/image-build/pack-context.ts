/** The tar of a folder to build from, without what its ignore file names. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type LocalTar, startTar } from '../image-copy/local-tar.ts';
import type { IgnoreRules } from './ignore.ts';

/** Ends with an error when a file cannot be read: the tar has no end then, and is not taken for complete. */
export async function* packContext(folder: string, rules: IgnoreRules): AsyncGenerator<Buffer> {
  const tar: LocalTar = startTar([
    ...['--create', '--file=-', '--format=pax', '--pax-option=delete=atime,delete=ctime', '--numeric-owner'],
    ...['--directory', folder, '--no-recursion', '--null', '--verbatim-files-from', '--files-from=-'],
  ]);
  const listing = pipeline(Readable.from(list(folder, '', rules)), tar.stdin);
  // tar that ends early tells why itself.
  listing.catch(() => {});
  try {
    yield* tar.stdout as AsyncIterable<Buffer>;
    await tar.ended;
    await listing;
  } finally {
    tar.kill();
  }
}

/** Paths that end with NUL; sorted, so that the same folder gives the same tar. */
async function* list(folder: string, below: string, rules: IgnoreRules): AsyncGenerator<string> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const omitted = rules.omits(path);
    if (!omitted && !entry.isSocket()) yield `./${path}\0`;
    if (entry.isDirectory() && (!omitted || rules.mayHold(path))) yield* list(folder, path, rules);
  }
}
