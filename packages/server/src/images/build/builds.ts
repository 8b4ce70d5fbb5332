import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Architecture, NamedImage } from '@walt/contract';
import { type Log, namesIn } from '../../platform/index.ts';
import { removeTree } from '../../trees/index.ts';
import { serverArchitecture } from '../architectures.ts';
import { whoLeavesBy } from '../jobs/index.ts';
import { runImageBuild } from './build.ts';
import { groupName, removeContainers } from './buildah.ts';
import { removeControlGroup } from './control-group.ts';
import { planBuild } from './dockerfile/index.ts';
import {
  type BuildPlaces,
  type BuiltImage,
  buildPlaces,
  type ImageBuildClient,
  type ImageBuildDeps,
  type ImageBuildRequest,
  targetArchitecture,
} from './task.ts';
import { hasContainers, lacksLayers, storeSize } from './view.ts';

/** What a user wants built, before it is looked at. */
export interface ImageBuildOrder {
  user: string;
  /** Throws UserError NOT_FOUND for images that the user may not see. */
  sees(image: NamedImage): Promise<void>;
  target: NamedImage;
  /** Text of the Dockerfile, and how messages call it. */
  dockerfile: { text: string; file: string };
  args: Readonly<Record<string, string>>;
  architecture: Architecture | undefined;
  /** Name or number of the stage to build; undefined: the last one. */
  stage: string | undefined;
  cache: boolean;
  source: string;
}

/** A build that was looked at, and not begun. */
export type PreparedImageBuild = (client: ImageBuildClient) => Promise<BuiltImage>;

/** Bytes of a user's cache, unpacked; one that has grown larger is begun anew. */
const MAX_CACHE = 20_000_000_000;
/** Milliseconds after which a cache that no build has used is removed. */
const CACHE_LIFE = 30 * 86_400_000;

/** Builds of images from a Dockerfile, by buildah. */
export class ImageBuilds {
  readonly #deps: ImageBuildDeps & { log: Log };
  readonly #running = new Set<Promise<unknown>>();
  /** Builds that use a store now, by its folder, and when it is as they need it; then what comes after the last of them. */
  readonly #users = new Map<string, { count: number; ready: Promise<void> }>();
  readonly #tidying = new Map<string, Promise<void>>();

  constructor(deps: ImageBuildDeps & { log: Log }) {
    this.#deps = deps;
  }

  /** Removes what builds left that a killed server ran, and caches that nobody uses. */
  async recover(): Promise<void> {
    const { paths } = this.#deps;
    for (const user of await namesIn(paths.imageBuilds)) {
      for (const architecture of await namesIn(join(paths.imageBuilds, user))) {
        const own = join(paths.imageBuilds, user, architecture);
        for (const name of await namesIn(own)) {
          const id = /^work-([0-9a-f]{16})$/.exec(name)?.[1];
          if (id === undefined) continue;
          await removeControlGroup(groupName(id));
          await removeTree(join(own, name));
        }
        await this.#tidy(join(own, 'store'));
      }
    }
  }

  /** Reads the Dockerfile. Answers the build (`runImageBuild`). Throws UserError INVALID that names a line, FORBIDDEN when its user's images take all that they may. */
  async prepare({ dockerfile, ...order }: ImageBuildOrder): Promise<PreparedImageBuild> {
    const { args, architecture, target, stage } = order;
    const platforms = { server: serverArchitecture(), wanted: architecture };
    const plan = planBuild(dockerfile, args, platforms, stage);
    await this.#deps.catalogue.requireSpace(target.owner);
    const current = await this.#deps.catalogue.find(target);
    const request = { ...order, plan, expected: current ? { digest: current.digest } : ('absent' as const) };
    return (client) => this.#run(request, client);
  }

  /** Resolves when no build runs any more: each ends by itself, once its client has gone. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #run(request: ImageBuildRequest, client: ImageBuildClient): Promise<BuiltImage> {
    const running = this.#inStore(request, client);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #inStore(request: ImageBuildRequest, client: ImageBuildClient): Promise<BuiltImage> {
    const places = buildPlaces(this.#deps.paths, request.user, targetArchitecture(request));
    await this.#enter(places);
    try {
      return await this.#deps.room.guard(
        'No image was changed.',
        (signal) => runImageBuild(this.#deps, request, places, whoLeavesBy(client, signal)),
        client.signal,
      );
    } finally {
      await this.#leave(places);
    }
  }

  async #enter({ store }: BuildPlaces): Promise<void> {
    const tidying = this.#tidying.get(store) ?? Promise.resolve();
    const users = this.#users.get(store) ?? { count: 0, ready: tidying.then(() => this.#renew(store)) };
    this.#users.set(store, users);
    users.count += 1;
    await users.ready;
  }

  /** The last one out tidies up: no build uses the store then. */
  async #leave({ store }: BuildPlaces): Promise<void> {
    const users = this.#users.get(store);
    if (users) users.count -= 1;
    if (!users || users.count > 0) return;
    this.#users.delete(store);
    const tidying = this.#tidy(store).finally(() => this.#tidying.delete(store));
    this.#tidying.set(store, tidying);
    await tidying;
  }

  /** Begins a store anew whose images lie on some that are gone. */
  async #renew(store: string): Promise<void> {
    await this.#removeUnless(store, async () => !(await lacksLayers(this.#deps.paths.containers, store)));
  }

  /** Removes what was left in a store, or all of it when it is old or large. */
  async #tidy(store: string): Promise<void> {
    const { host, store: main } = this.#deps;
    await this.#removeUnless(store, async (used) => {
      if (used.getTime() < Date.now() - CACHE_LIFE || (await storeSize(store)) > MAX_CACHE) return false;
      if (await hasContainers(store)) await removeContainers(host, store, main.configFile);
      return true;
    });
  }

  /** A store that cannot be tidied is only a cache: it is begun anew. */
  async #removeUnless(store: string, isGood: (used: Date) => Promise<boolean>): Promise<void> {
    const used = await stat(store).catch(() => undefined);
    if (!used) return;
    const good = await isGood(used.mtime).catch((error: unknown) => {
      this.#deps.log.warn('the cache of a build is begun anew', { store, reason: String(error) });
      return false;
    });
    if (!good) await removeTree(dirname(store));
  }
}
