import type { Architecture, Progress } from '@walt/contract';
import type { Config } from '../../platform/index.ts';
import { KeyedLock } from '../../platform/index.ts';
import { removeTree, withTree } from '../../trees/index.ts';
import { runsNatively, serverArchitecture } from '../architectures.ts';
import { whoLeavesBy } from '../jobs/index.ts';
import { withReports } from '../progress.ts';
import type { Store } from '../store/index.ts';
import type { HostCommand } from '../types.ts';
import { type BuildDeps, type BuildEnd, type CrossClient, type CrossRequest, runBuild } from './build.ts';
import { checkPlaces } from './places.ts';
import { hasLibrary } from './sysroot.ts';
import { targetOf } from './target.ts';
import { ensureToolchain } from './toolchain.ts';

interface Deps extends BuildDeps {
  config: Config;
  host: HostCommand;
  store: Store;
  /** Makes binaries of an architecture run here. */
  emulate(architecture: Architecture): Promise<void>;
}

/** A build that was looked at, and not begun. */
export interface PreparedBuild {
  /** See `runBuild`. */
  run(client: CrossClient): Promise<BuildEnd>;
  /** False: the image has no C library to build with. */
  ownLibrary: boolean;
}

/** Builds for an image's CPU by a compiler of the server's own. */
export class CrossBuilds {
  readonly #deps: Deps;
  /** One toolchain is made once. */
  readonly #making = new KeyedLock();
  readonly #running = new Set<Promise<unknown>>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Removes what builds left that a killed server ran; their containers are gone already. */
  async recover(): Promise<void> {
    await removeTree(this.#deps.paths.builds);
  }

  /**
   * Checks a build and makes its toolchain. Throws UserError INVALID when the folders cannot be where they are wanted, CONFLICT when
   * the name to save under was moved already.
   */
  prepare(request: CrossRequest, signal: AbortSignal): AsyncGenerator<Progress, PreparedBuild> {
    const { config, paths, host, store, catalogue, emulate, room } = this.#deps;
    const { image, save } = request;
    return withReports(async (report) => {
      checkPlaces(request.folder, request.prefix);
      if (save) await catalogue.check(save.target, save.expected);
      // Tests and generators that are built for the image may be run by the build.
      if (!runsNatively(image.architecture, serverArchitecture())) await emulate(image.architecture);
      const toolchain = await room.guard(
        'Nothing was begun.',
        (until) => {
          const task = { cache: config.cache, host, signal: until, report };
          return this.#making.hold(image.architecture, () =>
            ensureToolchain(image.architecture, paths.toolchains, task),
          );
        },
        signal,
      );
      const { multiarch } = targetOf(image.architecture);
      const ownLibrary = await store.withMounted(image.digest, (root) =>
        withTree(root, (tree) => hasLibrary(tree, multiarch)),
      );
      return { run: (client) => this.#run(toolchain, request, client), ownLibrary };
    });
  }

  /** Resolves when no build runs any more: each ends by itself, once its client has gone. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #run(toolchain: string, request: CrossRequest, client: CrossClient): Promise<BuildEnd> {
    const running = this.#deps.room.guard(
      'No image was changed.',
      (until) => runBuild(this.#deps, toolchain, request, whoLeavesBy(client, until)),
      client.signal,
    );
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
