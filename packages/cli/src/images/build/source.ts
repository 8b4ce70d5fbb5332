/** Where a build takes its folder and its Dockerfile from. */

import { mkdtemp, open, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { AbortError, hasCode } from '@walt/client/errors';
import type { IgnoreRules } from '@walt/contract/values/ignore-rules';
import { MAX_DOCKERFILE } from '@walt/contract/values/limits';
import { remark } from '../../terminal/output.ts';
import { checkSource, fetchRepository } from './git.ts';
import { readIgnoreRules } from './ignore.ts';

export interface SourceOptions {
  /** Folder on this machine; undefined with `url`. */
  dir: string | undefined;
  url: string | undefined;
  ref: string | undefined;
  /** Folder below that, which is the one to build. */
  subDir: string | undefined;
  /** Name of the Dockerfile, or its path; undefined: the usual ones. */
  file: string | undefined;
}

export interface Source extends AsyncDisposable {
  folder: string;
  /** Text of the Dockerfile, and how the user knows it. */
  dockerfile: string;
  file: string;
  rules: IgnoreRules;
  /** For the history. */
  origin: string;
}

const FILES = ['Containerfile', 'Dockerfile'];
const IGNORE_FILES = ['.containerignore', '.dockerignore'];
/** Bytes of a Dockerfile or an ignore file. */
const MAX_BYTES = MAX_DOCKERFILE;

/** Throws AbortError when it cannot be had. What was fetched is removed when the source is disposed of. */
export async function openSource(options: SourceOptions, signal: AbortSignal): Promise<Source> {
  const { url, ref, subDir = '.' } = options;
  if (url === undefined) {
    const folder = resolve(options.dir ?? '.', subDir);
    await requireFolder(folder);
    const { path, ...dockerfile } = await findDockerfile(folder, options.file, undefined);
    const rules = await readRules(folder, path, undefined);
    return { folder, rules, origin: folder, ...dockerfile, [Symbol.asyncDispose]: async () => {} };
  }
  checkSource(url, ref);
  const clone = await realpath(await mkdtemp(join(tmpdir(), 'walt-build-')));
  const remove = () => rm(clone, { recursive: true, force: true });
  try {
    remark(`Fetching ${url}`);
    await fetchRepository(url, ref, clone, signal);
    const folder = join(clone, subDir);
    await requireFolder(folder);
    await requireInside(folder, clone);
    const { path, ...dockerfile } = await findDockerfile(folder, options.file, clone);
    // git's own files change with each fetch; those of submodules lie in their folders.
    const rules = await readRules(folder, path, clone, '\n.git\n**/.git');
    const origin = [url, ref && `#${ref}`, subDir !== '.' && `:${subDir}`].filter(Boolean).join('');
    return { folder, rules, origin, ...dockerfile, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** `clone` is the repository that it must lie in: a link in it may lead elsewhere. */
async function findDockerfile(
  folder: string,
  name: string | undefined,
  clone: string | undefined,
): Promise<{ dockerfile: string; file: string; path: string }> {
  const candidates =
    name === undefined
      ? FILES.map((file) => ({ path: join(folder, file), file }))
      : [
          { path: resolve(folder, name), file: name },
          ...(clone === undefined ? [{ path: resolve(name), file: name }] : []),
        ];
  for (const { path, file } of candidates) {
    const dockerfile = await readInside(path, clone);
    if (dockerfile !== undefined) return { dockerfile, file, path };
  }
  throw new AbortError(
    'NOT_FOUND',
    `There is no ${name ?? FILES.join(' and no ')} in ${clone === undefined ? folder : relative(clone, folder) || 'the repository'}.`,
    name === undefined
      ? 'Name another folder (--from-dir, --sub-dir) or the file (--file).'
      : 'Give its path from the folder that is built.',
  );
}

/** An ignore file beside the Dockerfile with its name in front goes before that of the folder. `more`: lines that are added. */
async function readRules(
  folder: string,
  dockerfile: string,
  clone: string | undefined,
  more = '',
): Promise<IgnoreRules> {
  const own = IGNORE_FILES.map((suffix) => `${dockerfile}${suffix}`);
  const common = IGNORE_FILES.map((name) => join(folder, name));
  for (const path of [...own, ...common]) {
    const text = await readInside(path, clone);
    if (text !== undefined) return readIgnoreRules(`${text}${more}`, basename(path));
  }
  return readIgnoreRules(more);
}

/** Undefined when there is no such file. */
async function readInside(path: string, clone: string | undefined): Promise<string | undefined> {
  try {
    if (clone !== undefined) await requireInside(path, clone);
    return await readBounded(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
    if (!hasCode(error, 'EACCES') && !hasCode(error, 'EISDIR')) throw error;
    throw new AbortError(
      'FORBIDDEN',
      `${path} cannot be read: ${error.message}.`,
      'It must be a file of yours.',
    );
  }
}

/** Also of a pipe, as a shell gives for `--file <(…)`. */
async function readBounded(path: string): Promise<string> {
  await using file = await open(path);
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of file.createReadStream({ autoClose: false, highWaterMark: 65_536 })) {
    parts.push(part as Buffer);
    size += part.length;
    if (size <= MAX_BYTES) continue;
    throw new AbortError(
      'INVALID',
      `${path} is larger than ${MAX_BYTES} bytes.`,
      'Is it the file that you meant? Put long texts into files of the folder.',
    );
  }
  return Buffer.concat(parts).toString('utf8');
}

async function requireInside(path: string, clone: string): Promise<void> {
  const real = await realpath(path);
  if (real === clone || real.startsWith(`${clone}/`)) return;
  throw new AbortError(
    'FORBIDDEN',
    `${relative(clone, path)} leads out of the repository.`,
    'Name another one.',
  );
}

async function requireFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
  });
  if (info?.isDirectory()) return;
  throw new AbortError('NOT_FOUND', `There is no folder ${folder}.`, 'Check --from-dir and --sub-dir.');
}
