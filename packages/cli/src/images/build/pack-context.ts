/** The tar of a folder to build from, without what its ignore file names. Names are bytes, held as Latin-1 strings. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AbortError } from '@walt/client/errors';
import type { IgnoreRules } from '@walt/contract/values/ignore-rules';
import { MAX_BUILD_PATH } from '@walt/contract/values/limits';
import { type LocalTar, startTar } from '../copy/local-tar.ts';

/** What no archive of a folder holds. */
export interface Skipped {
  path: string;
  what: 'a socket' | 'a named pipe' | 'a device' | 'a name that means a deletion in images';
}

/**
 * Attributes, capabilities and access lists travel as the attributes that they are: Docker sends all that it can read
 * (decision 0057).
 */
const ATTRIBUTES = [
  '--xattrs',
  '--xattrs-include=user.*',
  '--xattrs-include=security.capability',
  '--xattrs-include=system.posix_acl_access',
];

/**
 * Tells `onSkipped` what cannot be sent: a build fails only if it copies that. Ends with an error when a file cannot be read: the tar
 * has no end then, and is not taken for complete.
 */
export async function* packContext(
  folder: string,
  rules: IgnoreRules,
  onSkipped: (skipped: Skipped) => void = () => {},
): AsyncGenerator<Buffer> {
  const tar: LocalTar = startTar([
    ...['--create', '--file=-', '--format=pax', '--pax-option=delete=atime,delete=ctime', '--numeric-owner'],
    ...ATTRIBUTES,
    ...['--directory', folder, '--no-recursion', '--null', '--verbatim-files-from', '--files-from=-'],
  ]);
  const listing = pipeline(Readable.from(names(folder, rules, onSkipped)), tar.stdin);
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
async function* names(
  folder: string,
  rules: IgnoreRules,
  onSkipped: (skipped: Skipped) => void,
): AsyncGenerator<Buffer> {
  // Not by recursion: a folder may be as deep as its user likes.
  const open = [{ below: '', inside: rules, entries: await entriesOf(folder, '') }];
  for (let here = open.at(-1); here; here = open.at(-1)) {
    const entry = here.entries.pop();
    if (!entry) {
      open.pop();
      continue;
    }
    const path = here.below === '' ? entry.name : `${here.below}/${entry.name}`;
    const { omitted, inside, mayHoldWanted } = here.inside.look(shown(entry.name));
    const enters = entry.isDirectory() && !isDeletion(entry) && (!omitted || mayHoldWanted);
    if ((enters || !omitted) && path.length > MAX_BUILD_PATH) throw tooDeep(folder, path);
    const what = kindOf(entry);
    if (!omitted && what !== undefined) onSkipped({ path: shown(path), what });
    else if (!omitted) yield Buffer.from(`./${path}\0`, 'latin1');
    if (enters) open.push({ below: path, inside, entries: await entriesOf(folder, path) });
  }
}

function tooDeep(folder: string, path: string): AbortError {
  return new AbortError(
    'INVALID',
    `${shown(path).slice(0, 60)}… in ${folder} lies too deep: its path has more than ${MAX_BUILD_PATH} bytes.`,
    'Move it, or name it in .dockerignore.',
  );
}

/** The last one first. */
async function entriesOf(folder: string, below: string): Promise<Dirent[]> {
  const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(below, 'latin1')]);
  const entries = await readdir(path, { withFileTypes: true, encoding: 'latin1' });
  return entries.sort((a, b) => (a.name < b.name ? 1 : -1));
}

/** How layers say that a name is deleted (OCI image-spec layer.md). */
function isDeletion(entry: Dirent): boolean {
  return entry.name.startsWith('.wh.');
}

function kindOf(entry: Dirent): Skipped['what'] | undefined {
  if (isDeletion(entry)) return 'a name that means a deletion in images';
  if (entry.isSocket()) return 'a socket';
  if (entry.isFIFO()) return 'a named pipe';
  return entry.isCharacterDevice() || entry.isBlockDevice() ? 'a device' : undefined;
}

function shown(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
