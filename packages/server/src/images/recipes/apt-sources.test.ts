import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessOptions, debianSources, nonFreeSources, parseIndexes, parseRelease } from './apt-sources.ts';

test('the release of a Debian', () => {
  assert.equal(parseRelease('ID=debian\nVERSION_CODENAME=bookworm\n'), 'bookworm');
  assert.equal(parseRelease('VERSION_CODENAME="trixie"\nID="debian"\n'), 'trixie');
  assert.equal(parseRelease('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n'), undefined);
  assert.equal(parseRelease(''), undefined);
});

test("Debian's own sources of that release, and no others", () => {
  const indexes = parseIndexes(
    [
      'http://deb.test/debian/|bookworm|bookworm|Debian|main',
      'http://deb.test/debian/|bookworm|bookworm|Debian|main',
      'http://deb.test/debian/|bookworm|bookworm|Debian|non-free',
      'http://deb.test/debian/|stable-updates|bookworm-updates|Debian|main',
      'http://deb.test/debian-security/|bookworm-security|bookworm-security|Debian|main',
      'http://deb.test/debian/|bookworm-backports|bookworm-backports|Debian Backports|main',
      'http://deb.test/debian/|trixie|trixie|Debian|main',
      'http://other.test/|bookworm|bookworm|Other|main',
      '',
    ].join('\n'),
  );
  assert.deepEqual(debianSources(indexes, 'bookworm'), [
    'deb http://deb.test/debian/ bookworm main',
    'deb http://deb.test/debian/ bookworm non-free',
    'deb http://deb.test/debian/ stable-updates main',
    'deb http://deb.test/debian-security/ bookworm-security main',
  ]);
});

test('only the settings that tell how to reach repositories', () => {
  const dump = [
    'APT::Install-Recommends "1";',
    'Acquire::http "";',
    'Acquire::http::Proxy "http://proxy.test:3142";',
    'Acquire::https::Verify-Peer "true";',
    'Acquire::Retries "3";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::GzipIndexes "true";',
    'Acquire::Languages:: "none";',
  ];
  assert.deepEqual(accessOptions(dump.join('\n')), [dump[2], dump[3], dump[4], dump[5]]);
});

test('the same repositories have firmware that is not free, in a component of its own', () => {
  const sources = [
    'deb http://deb.test/debian/ bookworm main',
    'deb http://deb.test/debian/ bookworm non-free',
  ];
  assert.deepEqual(nonFreeSources(sources, undefined), [
    'deb http://deb.test/debian/ bookworm non-free-firmware',
  ]);
  assert.deepEqual(nonFreeSources(sources.slice(1), '/keys.gpg'), [
    'deb [signed-by=/keys.gpg] http://deb.test/debian/ bookworm non-free-firmware',
  ]);
});
