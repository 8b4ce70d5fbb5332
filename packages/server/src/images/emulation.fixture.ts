/** Notes rules as fast as it can: `emulation.fixture.ts FOLDER NAME COUNT`. */
import { platformPaths } from '../platform/index.ts';
import { withUndoList } from './emulation.ts';

const [folder = '', name = '', count = ''] = process.argv.slice(2);
const paths = platformPaths({ state: folder, runtime: folder, cache: folder });
for (let index = 0; index < Number(count); index++) {
  await withUndoList(paths, (list) => list.note({ rules: [`${name}-${index}`] }));
}
