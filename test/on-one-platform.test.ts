/** Tests that need a platform with the default image, and no node that boots. Each file can be run alone, too. */
import { after, before, describe } from 'node:test';
import { leavePlatform, usePlatform } from './shared-platform.ts';

before(usePlatform);
after(leavePlatform);

// The first one removes all nodes.
for (const name of [
  'ownership',
  'bad-input',
  'completion',
  'image-history',
  'image-run',
  'image-init',
  'image-shell',
]) {
  describe(name, () => import(`./on-one-platform/${name}.ts`));
}
