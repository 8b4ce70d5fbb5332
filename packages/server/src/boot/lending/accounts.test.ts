import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Credentials, credentialsOf, mendPasswd, mendShadow } from './accounts.ts';

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nann:x:1000:1001:Ann:/home/ann:/bin/sh\n',
  group: 'root:x:0:\nusers:x:1001:\naudio:x:29:bob,ann\n',
  shadow: undefined,
};

describe('the user of an image', () => {
  const rows: [user: string, credentials: Credentials | undefined][] = [
    ['', { uid: 0, gid: 0, groups: [], home: '/root' }],
    ['root', { uid: 0, gid: 0, groups: [], home: '/root' }],
    ['ann', { uid: 1000, gid: 1001, groups: [29], home: '/home/ann' }],
    ['1000', { uid: 1000, gid: 1001, groups: [29], home: '/home/ann' }],
    ['ann:audio', { uid: 1000, gid: 29, groups: [], home: '/home/ann' }],
    ['4711', { uid: 4711, gid: 0, groups: [], home: '/' }],
    ['4711:4712', { uid: 4711, gid: 4712, groups: [], home: '/' }],
    ['nobody-there', undefined],
    ['ann:nothing', undefined],
  ];
  for (const [user, credentials] of rows) {
    test(`"${user}" ${credentials ? `has number ${credentials.uid}` : 'is unknown'}`, () => {
      assert.deepEqual(credentialsOf(user, accounts), credentials);
    });
  }

  test('"" is root where the image has no accounts at all', () => {
    const none = { passwd: undefined, group: undefined, shadow: undefined };
    assert.deepEqual(credentialsOf('', none), { uid: 0, gid: 0, groups: [], home: '/root' });
  });
});

describe('/etc/passwd', () => {
  const sshd = 'sshd:x:999:65534::/run/sshd:/usr/sbin/nologin\n';
  const root = 'root:x:0:0:root:/root:/bin/bash\n';
  const rows: [what: string, text: string | undefined, shells: string[], mended: string | undefined][] = [
    ['that is missing', undefined, [], `root:x:0:0:root:/root:/bin/sh\n${sshd}`],
    ['that is complete', `${root}${sshd}`, ['/bin/bash'], undefined],
    ['without the user of sshd', root, ['/bin/bash'], `${root}${sshd}`],
    [
      'where root has a shell that is not there',
      `${root}${sshd}`,
      [],
      `root:x:0:0:root:/root:/bin/sh\n${sshd}`,
    ],
    [
      'where root may not log in',
      `root:x:0:0:root:/root:/sbin/nologin\n${sshd}`,
      ['/sbin/nologin'],
      `root:x:0:0:root:/root:/bin/sh\n${sshd}`,
    ],
    [
      'where a number is taken',
      `${root}app:x:999:999::/:/bin/sh\n`,
      ['/bin/bash'],
      `${root}app:x:999:999::/:/bin/sh\n${sshd.replace('999', '998')}`,
    ],
  ];
  for (const [what, text, shells, mended] of rows) {
    test(`${what} is ${mended === undefined ? 'left alone' : 'mended'}`, () => {
      assert.equal(
        mendPasswd(text, (shell) => shells.includes(shell)),
        mended,
      );
    });
  }
});

describe('/etc/shadow', () => {
  const rows: [text: string | undefined, mended: string | undefined][] = [
    [undefined, undefined],
    ['root:*:19000:0:99999:7:::\n', undefined],
    ['root:!:19000::::::\nann:!:1::::::\n', 'root:*:19000::::::\nann:!:1::::::\n'],
    ['bin:!:1::::::\nroot:!locked::0:99999:7:::\n', 'bin:!:1::::::\nroot:*::0:99999:7:::\n'],
  ];
  for (const [text, mended] of rows) {
    test(`${JSON.stringify(text)} is ${mended === undefined ? 'left alone' : 'mended'}`, () => {
      assert.equal(mendShadow(text), mended);
    });
  }
});
