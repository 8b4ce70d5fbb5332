/** Tests on one platform with two nodes, alpha and beta. Each file can be run alone, too. */
import { after, before, describe } from 'node:test';
import { leavePlatform, usePlatform } from './shared-platform.ts';

before(usePlatform);
after(leavePlatform);

// The first one sees alpha boot.
for (const name of [
  'node-shell',
  'node-access',
  'devices',
  'node-state',
  'node-room',
  'hybrid-boot',
  'node-save',
  'logs',
]) {
  describe(name, () => import(`./on-two-nodes/${name}.ts`));
}
