/** The server, and the programs beside it, are killed at the worst moments, with one node. Each file can be run alone, too. */
import { after, before, describe } from 'node:test';
import { leavePlatform, usePlatform } from './shared-platform.ts';

before(usePlatform);
after(leavePlatform);

for (const name of ['server-crash', 'service-crash']) {
  describe(name, () => import(`./crashes/${name}.ts`));
}
