import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUserError } from '../../platform/index.ts';
import { checkPlaces } from './places.ts';

const good: [folder: string, prefix: string][] = [
  ['/home/ann/project', '/usr/local'],
  ['/root', '/opt/tool'],
  ['/usr/src/tool', '/usr/local/tool'],
  ['/var/tmp/tool', '/opt'],
  ['/opt/sources', '/opt/tool'],
];

const bad: [folder: string, prefix: string, told: RegExp][] = [
  ['/usr', '/opt', /folder \/usr cannot/],
  ['/etc/tool', '/opt', /\/etc\/tool/],
  ['/var', '/opt', /\/var/],
  ['/sysroot/tmp', '/opt', /\/sysroot/],
  ['/home/ann', '/usr', /under \/usr/],
  ['/home/ann', '/usr/localhost', /under \/usr\/localhost/],
  ['/home/ann', '/bin', /under \/bin/],
  ['/opt/tool/src', '/opt/tool', /must not lie in each other/],
  ['/opt/tool', '/opt/tool/out', /must not lie in each other/],
  ['/opt', '/opt', /must not lie in each other/],
];

test('sources and installation have their own paths where that hides nothing of the compiler', () => {
  for (const [folder, prefix] of good) checkPlaces(folder, prefix);
  for (const [folder, prefix, told] of bad) {
    assert.throws(
      () => checkPlaces(folder, prefix),
      (error) => isUserError(error) && error.code === 'INVALID' && told.test(error.message),
      `${folder} ${prefix}`,
    );
  }
});
