import type { Config, Database, Log, Paths } from '../../platform/index.ts';
import { type BootingNodes, Catalogue, type ImageTables } from '../catalogue/index.ts';
import { Committer, Volumes } from '../layers/index.ts';
import type { Report } from '../progress.ts';
import { Store } from '../store/index.ts';
import type { PrepareBoot } from '../types.ts';

interface Deps {
  config: Pick<Config, 'images'>;
  paths: Paths;
  database: Database<ImageTables>;
  nodes: BootingNodes;
  prepareBoot: PrepareBoot;
  hasBootFiles(digest: string): Promise<boolean>;
  /** Hears how far it is. */
  report: Report;
  log: Log;
}

/** Makes the volumes and boot files of all images that lack them, when no server runs. What cannot be made is told by `log`. */
export async function prepareAll(deps: Deps): Promise<void> {
  const { config, paths, database, nodes, prepareBoot, hasBootFiles, report, log } = deps;
  const store = await Store.open(paths, (argv) => [...argv]);
  const volumes = new Volumes(paths.volumes);
  await store.unmountAll();
  await volumes.removeParts();
  const catalogue = new Catalogue(database, nodes);
  const retention = config.images;
  const committer = new Committer({
    ...{ paths, store, volumes, catalogue, prepareBoot, hasBootFiles, retention, log },
  });
  await committer.mend(undefined, report);
}
