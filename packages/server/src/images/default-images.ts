import { type Architecture, PLATFORM_OWNER } from '@walt/contract';
import { keepBusybox, keepGrub } from '../boot/index.ts';
import type { Config, Paths } from '../platform/index.ts';
import { KeyedLock, type RoomGuard } from '../platform/index.ts';
import { defaultImageName, runsNatively, serverArchitecture } from './architectures.ts';
import type { Catalogue } from './catalogue/index.ts';
import { registerEmulator } from './emulation.ts';
import type { Committer } from './layers/index.ts';
import type { Report } from './progress.ts';
import { ensureDefaultTar } from './recipes/index.ts';
import type { HostCommand, ImageRecord } from './types.ts';

interface Deps {
  config: Pick<Config, 'cache'>;
  paths: Paths;
  host: HostCommand;
  catalogue: Catalogue;
  committer: Committer;
  room: RoomGuard;
}

/** The platform's default images, which are made of Debian packages: of each architecture one at a time. */
export class DefaultImages {
  readonly #deps: Deps;
  readonly #making = new KeyedLock();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** See `Images.makeDefault`. */
  make(
    user: string,
    architecture: Architecture,
    { renew, signal, report }: { renew: boolean; signal: AbortSignal; report: Report },
  ): Promise<{ image: ImageRecord; made: boolean }> {
    const { config, paths, host, catalogue, committer, room } = this.#deps;
    return this.#making.hold(architecture, async () => {
      const target = { owner: PLATFORM_OWNER, name: defaultImageName(architecture) };
      const known = await catalogue.find(target);
      if (known && !renew) return { image: known, made: false };
      await room.require();
      if (!runsNatively(architecture, serverArchitecture())) await registerEmulator(architecture, paths);
      const tar = await ensureDefaultTar({ architecture, renew, signal, report, cache: config.cache, host });
      await keepBusybox(architecture, tar, paths);
      await keepGrub(architecture, tar, paths);
      const record = await committer.importTar({
        ...{ tar, architecture, report, changes: ['CMD ["/sbin/init"]'] },
        point: (made) => catalogue.point(target, made, 'any', { user, action: 'default' }),
      });
      report('Looking at images that waited for it');
      await committer.mend(architecture, report);
      return { image: { ...target, ...record }, made: true };
    });
  }
}
