/** The images that a Dockerfile names: found among those of this platform, or brought from a registry, and held while a build runs. */
import { type Architecture, HUB, type NamedImage, type RegistryLink } from '@walt/contract';
import { isUserError, UserError } from '../../platform/index.ts';
import type { Catalogue } from '../catalogue/index.ts';
import type { ImageHistory } from '../history/index.ts';
import type { Committer } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import type { Registries } from '../registries/index.ts';
import type { DigestRecord } from '../types.ts';
import type { Needed } from './dockerfile/index.ts';
import { type OwnReference, quoted, type Reference, readReference } from './dockerfile/index.ts';

export interface BaseDeps {
  catalogue: Catalogue;
  committer: Committer;
  history: ImageHistory;
  registries: Registries;
}

/** An image that stays until it is let go. */
export interface Base {
  record: DigestRecord;
  /** What it is called on this platform, if it is from here. */
  name?: NamedImage;
  release(): void;
}

interface Task {
  user: string;
  /** Throws UserError NOT_FOUND for images that the user may not see. */
  sees(image: NamedImage): Promise<void>;
  report: Report;
  signal: AbortSignal;
}

/** Seconds for which an image of a registry stays after a build: the next one finds it here. */
const AFTER_BUILD = 3600;

/** Finds an image. Throws UserError that names the line. */
export async function findBase(deps: BaseDeps, needed: Needed, task: Task & { file: string }): Promise<Base> {
  const { user, file } = task;
  const readings = readReference(needed.text, user);
  let missing: UserError | undefined;
  try {
    for (const reading of readings) {
      const found = await read(deps, reading, needed, task).catch((error: unknown) => {
        if (reading.kind !== 'own' || !isUserError(error) || error.code !== 'NOT_FOUND') throw error;
        missing = error;
      });
      if (found) return found;
    }
  } catch (error) {
    throw atLine(error, file, needed);
  }
  throw atLine(missing ?? unreadable(), file, needed);
}

async function read(
  deps: BaseDeps,
  reading: Reference,
  { platform }: Needed,
  task: Task,
): Promise<Base | undefined> {
  if (reading.kind === 'own') return own(deps, reading, platform, task);
  const link = reading.kind === 'link' ? reading.link : linkOf(deps, reading);
  if (!link || !deps.registries.knows(link.label)) return undefined;
  return fetched(deps, link, platform, task);
}

async function own(
  { catalogue, committer, history }: BaseDeps,
  { owner, name, version }: OwnReference,
  platform: Architecture | undefined,
  { sees }: Pick<Task, 'sees'>,
): Promise<Base> {
  const image = { owner, name };
  await sees(image);
  const found = version ? await history.version(image, version) : await catalogue.get(image);
  const hold = await committer.hold(found.digest, found.layers);
  // It may have been given up just before.
  const record = await catalogue.digest(found.digest);
  if (!record) {
    hold.release();
    throw new UserError('NOT_FOUND', `Image "${owner}/${name}" was removed.`, 'See: walt image show --all');
  }
  if (platform !== undefined && record.architecture !== platform) {
    hold.release();
    throw new UserError(
      'INVALID',
      `Image "${owner}/${name}" is for ${record.architecture}, not for ${platform}.`,
      'Start from another image, or build for its architecture.',
    );
  }
  return { record, name: image, release: () => hold.release() };
}

/** Undefined: no registry of server.conf has that host. For Docker Hub, whose host nobody writes, that is no error. */
function linkOf(
  { registries }: BaseDeps,
  { host, repository, tag, digest }: Extract<Reference, { kind: 'host' }>,
): RegistryLink | undefined {
  const label = registries.labelOf(host);
  if (label === undefined) {
    if (host === HUB) return undefined;
    throw new UserError(
      'NOT_FOUND',
      `This platform knows no registry at ${host}.`,
      'See: walt registry show. The administrator adds registries to server.conf.',
    );
  }
  const version = digest !== undefined ? { digest } : tag !== undefined ? { tag } : {};
  return { kind: 'registry', label, repository, ...version };
}

async function fetched(
  { committer, registries }: BaseDeps,
  link: RegistryLink,
  platform: Architecture | undefined,
  { user, report, signal }: { user: string; report: Report; signal: AbortSignal },
): Promise<Base> {
  let release: (() => void) | undefined;
  try {
    const record = await registries.fetch(
      user,
      link,
      { architecture: platform, report, signal },
      async (made) => {
        const hold = await committer.hold(made.digest, made.layers);
        release = () => hold.release(AFTER_BUILD);
      },
    );
    return { record, release: () => release?.() };
  } catch (error) {
    release?.();
    throw error;
  }
}

function unreadable(): UserError {
  return new UserError(
    'INVALID',
    'That is no name of an image.',
    'Name an image of yours (FROM lab), of another user (FROM alice/lab) or of a registry (FROM hub:debian:12).',
  );
}

function atLine(error: unknown, file: string, { text, line }: Needed): unknown {
  if (!isUserError(error)) return error;
  return new UserError(error.code, `${file}:${line}: ${quoted(text)}: ${error.message}`, error.hint);
}
