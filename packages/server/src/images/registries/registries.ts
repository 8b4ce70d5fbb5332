import {
  type Architecture,
  type FoundImage,
  formatImageLink,
  imageName,
  type NamedImage,
  type Progress,
  type Registry,
  type RegistryLink,
} from '@walt/contract';
import { preferredName, requireServerVersion } from '../../boot/index.ts';
import { isExternalError, isUserError, UserError } from '../../platform/index.ts';
import { serverArchitecture } from '../architectures.ts';
import type { Catalogue } from '../catalogue/index.ts';
import { type Expected, taken } from '../catalogue/index.ts';
import type { ImageHistory } from '../history/index.ts';
import { type Report, withReports } from '../progress.ts';
import type { DigestRecord, ImageRecord } from '../types.ts';
import type { RegistryAccounts } from './registry-accounts.ts';
import { type CloneParts, cloneImage } from './registry-clone.ts';
import { publishImage } from './registry-publish.ts';
import { searchRegistry } from './registry-search.ts';

interface Deps extends CloneParts {
  catalogue: Catalogue;
  accounts: RegistryAccounts;
  history: ImageHistory;
}

const TOO_MANY = {
  reason: 'it has more images than can be shown.',
  hint: 'Name a longer part of what you look for.',
};

/** A registry that could not be asked, and why. */
export interface SearchFailure {
  registry: string;
  reason: string;
  hint: string;
}

/** How a clone is called: as the user says, else as the image says, else as `fallback` says. */
export type CloneTarget = NamedImage | { owner: string; fallback: () => string };

/** Registries and the images that come from there and go there. `user` is the one who calls: it is his login that counts. */
export class Registries {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async list(user: string): Promise<Registry[]> {
    const { accounts } = this.#deps;
    return Promise.all(
      accounts.configured.map(async (registry) => {
        const { label, kind, host, protocol, description } = registry;
        const username = (await accounts.username(user, registry)) ?? null;
        return { label, kind, host, protocol, description, username };
      }),
    );
  }

  /** Asks the registry first. Throws UserError when it does not accept the password; an earlier login stays then. */
  login(user: string, label: string, username: string, password: string): Promise<void> {
    return this.#deps.accounts.login(user, label, username, password);
  }

  /** Answers the name under which `user` was logged in, or undefined. */
  logout(user: string, label: string): Promise<string | undefined> {
    return this.#deps.accounts.logout(user, label);
  }

  /** Images of all registries; one that cannot be asked does not hide the others. */
  search(
    user: string,
    keyword: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { found: FoundImage[]; failed: SearchFailure[] }> {
    const { accounts } = this.#deps;
    return withReports(async (report) => {
      const failed: SearchFailure[] = [];
      const found = await Promise.all(
        accounts.configured.map(async ({ label, kind, host }) => {
          report(`Asking ${host}`);
          try {
            await using gate = await accounts.gate(user, label, signal);
            const { images, cut } = await searchRegistry(gate, kind, keyword);
            if (cut) failed.push({ registry: label, ...TOO_MANY });
            return images;
          } catch (error) {
            signal.throwIfAborted();
            if (!isUserError(error) && !isExternalError(error)) throw error;
            const hint = isUserError(error) ? error.hint : `Tell whoever runs ${host}.`;
            failed.push({ registry: label, reason: error.message, hint });
            return [];
          }
        }),
      );
      return { found: found.flat(), failed };
    });
  }

  /**
   * Brings an image into `target`. Throws UserError CONFLICT when that name exists and `force` is false, or when it changed
   * while the image arrived; INVALID when the image needs a newer server. `source` is the link that names this very image.
   */
  clone(
    user: string,
    link: RegistryLink,
    target: CloneTarget,
    options: { force: boolean; architecture: Architecture | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; source: string }> {
    const { accounts, catalogue, room } = this.#deps;
    return withReports(async (report) => {
      const place = async (image: NamedImage) => {
        const expected = await this.#expected(image, options.force);
        await catalogue.requireSpace(image.owner);
        return { image, expected };
      };
      let to = 'name' in target ? await place(target) : undefined;
      await using gate = await accounts.gate(user, link.label, signal);
      const task = {
        ...{ link, gate, report, wanted: options.architecture, server: serverArchitecture() },
        described: async (labels: Readonly<Record<string, string>>) => {
          requireServerVersion(labels);
          if (!('name' in target)) to = await place({ owner: target.owner, name: nameFrom(labels, target) });
        },
        point: (made: DigestRecord) =>
          catalogue
            .point(chosen(to).image, made, chosen(to).expected, {
              user,
              action: 'clone',
              detail: formatImageLink(link),
            })
            .catch((error: unknown) => {
              throw isUserError(error) && error.code === 'CONFLICT'
                ? changedMeanwhile(chosen(to).image, link)
                : error;
            }),
      };
      const { record, manifestDigest } = await room.guard(
        'No image was changed.',
        (until) => cloneImage(this.#deps, { ...task, signal: until }),
        signal,
      );
      const source = formatImageLink({
        ...{ kind: 'registry', label: link.label, repository: link.repository, digest: manifestDigest },
      });
      return { image: { ...chosen(to).image, ...record }, source };
    });
  }

  /** True for a label of server.conf. */
  knows(label: string): boolean {
    return this.#deps.accounts.configured.some((registry) => registry.label === label);
  }

  /** Label of the registry at `host`. */
  labelOf(host: string): string | undefined {
    return this.#deps.accounts.configured.find((registry) => registry.host === host)?.label;
  }

  /** Brings an image into the store without a name; `hold` is called before anybody could remove it. Throws UserError. */
  async fetch(
    user: string,
    link: RegistryLink,
    options: { architecture: Architecture | undefined; report: Report; signal: AbortSignal },
    hold: (record: DigestRecord) => Promise<void>,
  ): Promise<DigestRecord> {
    await using gate = await this.#deps.accounts.gate(user, link.label, options.signal);
    const { architecture: wanted, ...rest } = options;
    const described = async (labels: Readonly<Record<string, string>>) => requireServerVersion(labels);
    const task = { link, gate, wanted, server: serverArchitecture(), described, point: hold, ...rest };
    return (await cloneImage(this.#deps, task)).record;
  }

  /** Points `target` to another user's image. Throws UserError CONFLICT as `clone`, NOT_FOUND when it was removed meanwhile. */
  async take(user: string, image: ImageRecord, target: NamedImage, force: boolean): Promise<ImageRecord> {
    const { catalogue, history } = this.#deps;
    const expected = await this.#expected(target, force);
    const detail = formatImageLink({ kind: 'platform', owner: image.owner, name: image.name });
    // Its name may have been moved or removed meanwhile, and what nobody needs goes at once.
    await history.whileKept([image], () =>
      catalogue.point(target, image, expected, { user, action: 'clone', detail, from: [image] }),
    );
    return catalogue.get(target);
  }

  /** Copies an image to a registry. Answers the digest of its manifest there. Throws UserError; CONFIRM as `publishImage`. */
  publish(
    user: string,
    image: ImageRecord,
    to: { label: string; repository: string; tag: string; replace: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Progress, string> {
    const { label, repository, tag, replace } = to;
    return withReports(async (report) => {
      await using gate = await this.#deps.accounts.gate(user, label, signal);
      return await publishImage(this.#deps, { image, gate, repository, tag, replace, report, signal });
    });
  }

  async #expected(target: NamedImage, force: boolean): Promise<Expected> {
    const current = await this.#deps.catalogue.find(target);
    if (!current) return 'absent';
    if (force) return { digest: current.digest };
    const { message } = taken(target);
    throw new UserError('CONFLICT', message, 'Add another name to the command, or --force to replace it.');
  }
}

function changedMeanwhile({ owner, name }: NamedImage, link: RegistryLink): UserError {
  return new UserError(
    'CONFLICT',
    `Image "${owner}/${name}" was changed by somebody else while the clone arrived.`,
    `The clone is kept for an hour; give it another name: walt image clone ${formatImageLink(link)} NAME`,
  );
}

/** A name that its maker wished for and that cannot be one here is as good as none. */
function nameFrom(labels: Readonly<Record<string, string>>, target: { fallback: () => string }): string {
  const wished = imageName.safeParse(preferredName(labels));
  return wished.success ? wished.data : target.fallback();
}

function chosen<T>(to: T | undefined): T {
  if (to === undefined) throw new TypeError('the clone has no name yet');
  return to;
}
