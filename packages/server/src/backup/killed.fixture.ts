/** A backup, or its restoration, in a process of its own, for tests that kill it. Argument: a JSON task. */

import { fakeBoot, quiet } from '../../test/platform.ts';
import { prepareAll } from '../images/index.ts';
import { bootingNodes } from '../nodes/index.ts';
import { openDatabase, platformPaths } from '../platform/index.ts';
import { serverTables } from '../tables.ts';
import { backUp, restoreBackup } from './index.ts';
import type { Told } from './progress.ts';

const { act, config, folder, step, calls } = JSON.parse(process.argv[2] ?? '');
let seen = 0;
const see = (title: string) => {
  if (title.startsWith(step)) seen += 1;
  if (seen === calls) process.kill(process.pid, 'SIGKILL');
};
const told: Told = { say: see, step: (title) => () => see(title) };
if (act === 'backup') await backUp(config, folder, {}, told);
else await restoreBackup(config, { folder, tables: serverTables, makeBootable }, told);

async function makeBootable(): Promise<void> {
  const paths = platformPaths(config);
  const database = await openDatabase(paths.database, serverTables);
  await prepareAll({
    ...{ config, paths, database, nodes: bootingNodes, log: quiet },
    ...{ prepareBoot: fakeBoot, hasBootFiles: async () => false, report: see },
  });
  await database.destroy();
}
