import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Credentials } from './accounts.ts';
import { commandWords, type ImageConfig } from './image-command.ts';

const root: Credentials = { uid: 0, gid: 0, groups: [], home: '/root' };
const empty: ImageConfig = { entrypoint: [], cmd: [], env: [], workdir: '', user: '', labels: {} };

/** What follows the loader's own words. */
function words(config: Partial<ImageConfig>, credentials = root): string[] | undefined {
  return commandWords({ ...empty, ...config }, credentials)?.filter(
    (word) => !/ld\.so|^--inhibit-cache$|library-path|\/lib$/.test(word),
  );
}

describe('the command of an image', () => {
  test('runs as root in / with a path and a home where nothing is said', () => {
    assert.deepEqual(words({ cmd: ['/app', 'a b', "it's"] }), [
      ...['/usr/lib/walt/bin/setpriv', '--reuid=0', '--regid=0', '--clear-groups', '--'],
      ...['/usr/lib/walt/bin/env', '--ignore-environment', '--chdir=/', '--'],
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...['HOME=/root', '/app', 'a b', "it's"],
    ]);
  });

  test('is the entrypoint with the command behind it, as the user, in the folder, with the environment', () => {
    const config = {
      ...{ entrypoint: ['/entry', '-x'], cmd: ['run'], workdir: '/work' },
      env: ['PATH=/opt/bin', 'A=b=c', 'HOME=/h', 'broken', '=x'],
    };
    assert.deepEqual(words(config, { uid: 7, gid: 8, groups: [29, 44], home: '/home/ann' }), [
      ...['/usr/lib/walt/bin/setpriv', '--reuid=7', '--regid=8', '--groups=29,44', '--'],
      ...['/usr/lib/walt/bin/env', '--ignore-environment', '--chdir=/work', '--'],
      ...['PATH=/opt/bin', 'A=b=c', 'HOME=/h', '/entry', '-x', 'run'],
    ]);
  });

  const nothing: Partial<ImageConfig>[] = [{}, { cmd: ['/sbin/init'] }, { entrypoint: ['/sbin/init'] }];
  for (const config of nothing) {
    test(`${JSON.stringify(config)} is nothing to run`, () => assert.equal(words(config), undefined));
  }

  test('of an unknown user is not run, and says why', () => {
    assert.deepEqual(commandWords({ ...empty, cmd: ['/app'], user: 'ann' }, undefined), [
      ...['/usr/lib/walt/bin/busybox', 'echo'],
      'walt: the image has no user ann: its command is not run',
    ]);
  });
});
