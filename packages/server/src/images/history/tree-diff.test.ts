import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/platform.ts';
import { run } from '../../platform/index.ts';
import { compareTrees } from './tree-diff.ts';

test('more than may be held in memory is refused; a part of it can be asked for', async (context) => {
  const folder = await temporaryFolder();
  context.after(() => rm(folder, { recursive: true }));
  const [before, after] = [join(folder, 'before'), join(folder, 'after')];
  for (const tree of [before, after]) await mkdir(tree);
  const layer = join(folder, 'layer');
  await run(['sh', '-euc', 'mkdir many few; touch $(seq -f many/%g 30) few/one'], { cwd: after });
  await run(['cp', '-a', after, layer]);
  const limits = { entries: 20, names: 600, attributes: 0 };
  const differing = async (...paths: string[]) =>
    (await compareTrees({ before, after, layers: [layer], paths }, limits)).map(({ rawPath }) => rawPath);
  await assert.rejects(differing(), { name: 'UserError', message: /are more than 20 files/ });
  await assert.rejects(differing('/many'), { name: 'UserError', message: /are more than 20 files/ });
  assert.deepEqual(await differing('/few'), ['/few', '/few/one']);
});
