/** A tar of local files: modes, times, links, attributes and, as far as they mean something in an image, owners as they are. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startTar } from './local-tar.ts';

export interface PackOptions {
  /** True: also what belongs to the user keeps its owner. */
  archive: boolean;
  /** Extended attributes and access lists go along. */
  attributes: boolean;
  /** `gnu`: for programs that know no names of any length in pax archives. Default: `pax`. */
  format?: 'pax' | 'gnu';
  /** Bytes so far. */
  onBytes: (done: number) => void;
  /** All is on its way. */
  onEnd: () => void;
  /** A file that was left out (socket). */
  onSkipped: (path: string) => void;
}

/** The stream fails when a file cannot be read as a whole: then the tar has no end, and is not taken for complete. */
export async function packFiles(source: string, options: PackOptions): Promise<Readable> {
  const { folder, name } = split(source);
  const maps = await ownerMaps(options.archive);
  const tar = startTar([
    ...['--create', '--file=-', '--sort=name'],
    ...(options.format === 'gnu'
      ? ['--format=gnu']
      : ['--format=pax', '--pax-option=delete=atime,delete=ctime']),
    ...['--numeric-owner', ...(options.attributes ? ['--xattrs', '--xattrs-include=*'] : []), ...maps.args],
    ...['--directory', folder, '--null', '--verbatim-files-from', '--files-from=-'],
  ]);
  tar.stdin.end(`./${name}\0`);
  let done = 0;
  const body = async function* (output: AsyncIterable<Buffer>) {
    for await (const chunk of output) {
      done += chunk.length;
      options.onBytes(done);
      yield chunk;
    }
    for (const complaint of await tar.ended) {
      const socket = /^(.*): socket ignored$/.exec(complaint)?.[1];
      if (socket !== undefined) options.onSkipped(posix.join(folder, socket));
    }
    options.onEnd();
  };
  const packed = new PassThrough();
  void pipeline(tar.stdout, body, packed)
    .catch(() => tar.kill())
    .finally(() => maps.remove());
  return packed;
}

/** `a/b` is `b` in `a`; `a/.`, `..` and `/` stand for what they contain. */
function split(source: string): { folder: string; name: string } {
  const path = source.replace(/(?<=.)\/+$/, '');
  const base = posix.basename(path);
  if (base === '' || base === '.' || base === '..') return { folder: source, name: '' };
  return { folder: posix.dirname(path), name: base };
}

/**
 * What belongs to an ordinary user belongs to root in the image: his number means nothing there, or somebody else. root's files, and
 * those of all others, keep their owner's number. tar reads such maps from files only.
 */
async function ownerMaps(archive: boolean): Promise<{ args: string[]; remove: () => Promise<void> }> {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  if (archive || uid === 0) return { args: [], remove: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'walt-cp-'));
  const [owners, groups] = [join(folder, 'owners'), join(folder, 'groups')];
  await writeFile(owners, `+${uid} root:0\n`);
  await writeFile(groups, `+${gid} root:0\n`);
  return {
    args: [`--owner-map=${owners}`, `--group-map=${groups}`],
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
