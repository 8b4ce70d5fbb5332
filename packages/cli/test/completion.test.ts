import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { before, describe, test } from 'node:test';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';

const { server, checkout } = await openClient({ registries: [{ label: 'hub' }, { label: 'lab' }] });

before(async () => {
  checkout.writeTopic('shells', '# Shells\n');
  await server.addImage('alice/debian:v2');
  await server.addImage('bob/secret');
  const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
  for (const letter of ['c', 'b', 'a']) await server.addImage('alice/debian', { digest: digest(letter) });
  await server.platform.database.deleteFrom('image_digest').where('digest', '=', digest('b')).execute();
  for (const name of ['vnode1', 'vnode2', 'other']) await server.addNode(name);
});

const cases: [words: string[], candidates: string[]][] = [
  [['n'], ['node']],
  [['ss'], ['ssh-config']],
  [
    ['node', 're'],
    ['remove', 'reboot', 'release', 'rename'],
  ],
  [
    ['node', 'show', '--'],
    ['--all', '--names-only', '--where', '--json', '--help'],
  ],
  [
    ['node', 'shell', 'vn'],
    ['vnode1', 'vnode2'],
  ],
  [['node', 'shell', 'vnode1', ''], []],
  [
    ['node', 'reboot', '--hard', 'v'],
    ['vnode1', 'vnode2'],
  ],
  [
    ['node', 'reboot', 'vnode1,'],
    ['vnode1,other', 'vnode1,vnode2', 'vnode1,my-nodes', 'vnode1,free-nodes', 'vnode1,all-nodes'],
  ],
  [['node', 'reboot', '--where', 'mo'], ['model=']],
  [['node', 'reboot', 'vnode1', '--where', 'state!='], ['state!=booted']],
  [['node', 'reboot', '--where', 'constructor='], []],
  [
    ['node', 'boot', 'vnode1', 'd'],
    ['debian', 'debian:v2', 'default'],
  ],
  [['node', 'create', 'x', '--image', 'b'], ['bob/secret']],
  [
    ['node', 'config', 'vn'],
    ['vnode1', 'vnode2'],
  ],
  [
    ['node', 'config', 'vnode1', 'boot.retries=3', 'boot.'],
    ['boot.delay=', 'boot.timeout=', 'boot.retries='],
  ],
  [
    ['node', 'config', 'vnode1', 'power='],
    ['power=none', 'power=wake-on-lan', 'power=default'],
  ],
  [
    ['node', 'config', 'vnode1', 'model=qemu-a'],
    ['model=qemu-arm64', 'model=qemu-armhf'],
  ],
  [['node', 'config', 'vnode1', 'constructor='], []],
  [['node', 'cp', 'o'], ['other:']],
  [['image', 'shell', 'debian:'], ['debian:v2']],
  [['image', 'shell', 'bob/'], ['bob/secret']],
  [
    ['image', 'log', 'd'],
    ['debian', 'debian:v2'],
  ],
  [['image', 'diff', 'debian', 'b'], ['bob/secret']],
  [
    ['image', 'undo', 'debian'],
    ['debian', 'debian:v2'],
  ],
  [['image', 'tag', 'bob'], ['bob/secret']],
  [
    ['image', 'tag', 'debian@'],
    ['debian@{0}', 'debian@{2}'],
  ],
  [
    ['image', 'diff', 'debian', 'debian@s'],
    [`debian@sha256:${'a'.repeat(12)}`, `debian@sha256:${'c'.repeat(12)}`],
  ],
  [['image', 'shell', 'debian@'], []],
  [['image', 'prune', '--d'], ['--dry-run']],
  [
    ['advanced', 'update-default-images', '--arch', 'arm'],
    ['arm64', 'armhf'],
  ],
  [
    ['image', 'clone', ''],
    ['walt:bob/secret', 'hub:', 'lab:'],
  ],
  [['image', 'publish', 'debian', '--registry', 'l'], ['lab']],
  [
    ['registry', 'login', ''],
    ['hub', 'lab'],
  ],
  [['help', 'show', ''], ['shells']],
  [['nonsense', ''], []],
  [['ssh-proxy', ''], []],
];

describe('candidates', () => {
  for (const [words, candidates] of cases) {
    test(`walt ${words.join(' ')}<tab>`, async () => {
      const { status, stdout } = await checkout.run(['complete', '--', ...words]);
      assert.equal(status, 0);
      assert.deepEqual(stdout.split('\n').slice(0, -1), candidates);
    });
  }
});

describe('bash', () => {
  /** What bash would offer for that line, by the very code that users load. */
  async function offered(line: string, source = 'source'): Promise<string[]> {
    const script = `
      ${source} <("$WALT" advanced dump-bash-autocomplete)
      COMP_LINE=$1 COMP_POINT=\${#1}
      _walt_complete
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...checkout.env, WALT: checkout.walt };
    const { stdout, stderr } = await outcome(spawn('bash', ['-c', script, 'bash', line], { env }));
    // compopt complains outside of a real completion.
    assert.doesNotMatch(stderr.replace(/.*compopt.*\n/g, ''), /./);
    return stdout.split('\n').filter(Boolean);
  }

  test('live names', async () => {
    assert.deepEqual(await offered(`${checkout.walt} node shell vn`), ['vnode1', 'vnode2']);
  });

  test('a new word', async () => {
    assert.deepEqual(await offered(`${checkout.walt} registry `), ['show', 'login', 'logout']);
  });

  test('behind a colon only the rest, as readline wants it', async () => {
    assert.deepEqual(await offered(`${checkout.walt} image shell debian:v`), ['v2']);
  });

  test('behind an at sign, too', async () => {
    const all = "COMP_WORDBREAKS=' @:'; source";
    assert.deepEqual(await offered(`${checkout.walt} image diff debian@{`, all), ['{0}', '{2}']);
    assert.deepEqual(await offered(`${checkout.walt} image diff debian@sha256:a`, all), ['a'.repeat(12)]);
  });

  test('behind an equals sign, too', async () => {
    const all = "COMP_WORDBREAKS=' @:='; source";
    assert.deepEqual(await offered(`${checkout.walt} node config vnode1 boot.timeout=n`, all), ['none']);
  });

  test('no server: nothing is offered, and nothing printed', async () => {
    const { WALT_SOCKET } = checkout.env;
    checkout.env.WALT_SOCKET = '/nope';
    try {
      assert.deepEqual(await offered(`${checkout.walt} node shell vn`), []);
    } finally {
      checkout.env.WALT_SOCKET = WALT_SOCKET ?? '';
    }
  });
});

test('zsh gets its code', async () => {
  const { stdout } = await checkout.run(['advanced', 'dump-zsh-autocomplete']);
  assert.match(stdout, /compdef _walt_complete walt/);
});
