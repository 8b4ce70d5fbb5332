/** What a server that lies can do to who asks it: nothing in his files, nothing on his terminal. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { categories } from '../src/words/categories.ts';
import { openClient } from './client.ts';
import { HostileServer, mapStrings } from './hostile-server.ts';

const { server, checkout } = await openClient({
  subnet: loopbackNet(),
  lines: true,
  registries: [{ label: 'lab', description: 'of the lab' }],
});
/** Beside the genuine one: what is proven there is proven here. */
const hostile = await HostileServer.start(join(server.folder, 'hostile.sock'), server.socket);
after(() => hostile[Symbol.asyncDispose]());
const env = { WALT_SOCKET: hostile.socket };
const planted = join(checkout.home, 'planted');
const cache = join(checkout.home, '.cache', 'walt');

server.withoutPackages();
// Registries are elsewhere, and would answer this.
const found = {
  location: 'lab',
  name: 'exp:v1',
  link: 'lab:exp:v1',
  architecture: null,
  description: 'of the lab',
};
const failed = [{ registry: 'hub', reason: 'It is down.', hint: 'Wait.' }];
server.services.calls.image.search = async () =>
  (async function* () {
    yield { type: 'result' as const, value: { found: [found], failed } };
  })();
const versions = [
  await server.addTree('alice/debian', { 'etc/motd': 'old\n' }),
  await server.addTree('alice/debian', { 'etc/motd': 'new\n' }),
];

/** Whatever was done: two versions of an image, another user's image, and two nodes. */
beforeEach(async () => {
  await server.clear({ keepDigests: true });
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('bob/x');
  const move = { user: 'alice', action: 'cp', detail: '/etc/x' } as const;
  for (const version of versions) await server.catalogue.point(version, version, 'any', move);
  await server.addNode('vnode1');
  await server.addNode('free1', 'waltplatform/pc-x86-64-default', 'physical');
  hostile.tamper = (_call, answer) => answer;
  hostile.failure = undefined;
  rmSync(cache, { recursive: true, force: true });
});

describe('the question who calls', () => {
  afterEach(() => rmSync(planted, { force: true }));

  const questions: [what: string, json: { file?: string; nonce?: string }][] = [
    ['any path', { file: planted }],
    ['a path that climbs', { file: `../${'a'.repeat(20)}/../planted` }],
    ['a name in another folder', { file: `auth2/${'a'.repeat(32)}` }],
    ['a dot file', { file: '.bashrc' }],
    ['a name with a line end', { file: `${'a'.repeat(32)}\n` }],
    ['a content of another kind', { nonce: 'ssh-ed25519 AAAA mallory' }],
    ['a content with another kind behind', { nonce: `${'a'.repeat(64)}\nssh-ed25519 AAAA` }],
  ];
  for (const [what, change] of questions) {
    test(`names ${what}: nothing is made anywhere`, async () => {
      const auth = join(server.folder, 'auth');
      const before = readdirSync(auth);
      const beside = readdirSync(server.folder);
      hostile.tamper = (call, answer) => {
        const { json } = answer as { json: object };
        return call === 'auth.challenge' ? { json: { ...json, ...change } } : answer;
      };
      const { status, stderr } = await checkout.run(['node', 'show'], { env });
      assert.equal(status, 1);
      assert.match(stderr, /wants to know who you are in a way that no WalT server does/);
      assert.ok(!existsSync(planted));
      assert.deepEqual(readdirSync(auth), before);
      assert.deepEqual(readdirSync(server.folder), beside);
    });
  }

  test('is not believed where there is no folder for it', async () => {
    const folder = join(server.folder, 'without');
    mkdirSync(folder);
    const { socket } = await relayIn(folder);
    const { status, stderr } = await checkout.run(['node', 'show'], { env: { WALT_SOCKET: socket } });
    assert.equal(status, 1);
    assert.match(stderr, /in a way that no WalT server does/);
  });

  test('is not believed where the folder is a link, and what is there already is not written to', async () => {
    const folder = join(server.folder, 'linked');
    mkdirSync(folder);
    const { socket } = await relayIn(folder);
    symlinkSync(join(server.folder, 'auth'), join(folder, 'auth'));
    const linked = await checkout.run(['node', 'show'], { env: { WALT_SOCKET: socket } });
    assert.match(linked.stderr, /in a way that no WalT server does/);
    rmSync(folder, { recursive: true });

    const name = 'b'.repeat(32);
    writeFileSync(planted, 'mine');
    symlinkSync(planted, join(server.folder, 'auth', name));
    hostile.tamper = (call, answer) =>
      call === 'auth.challenge' ? { json: { file: name, nonce: 'c'.repeat(64) } } : answer;
    assert.notEqual((await checkout.run(['node', 'show'], { env })).status, 0);
    assert.equal(readFileSync(planted, 'utf8'), 'mine');
    // The server itself may have removed what is no proof.
    rmSync(join(server.folder, 'auth', name), { force: true });
  });

  test('of another server that is passed on gives no token of that one', async () => {
    const folder = join(server.folder, 'elsewhere');
    mkdirSync(join(folder, 'auth'), { recursive: true, mode: 0o1733 });
    const { socket, answers } = await relayIn(folder);
    const proofs = await server.proofs();
    const { status } = await checkout.run(['node', 'show'], { env: { WALT_SOCKET: socket } });
    assert.equal(status, 1);
    assert.ok(
      answers.some(([call]) => call === 'auth.challenge'),
      'it was asked',
    );
    assert.ok(
      answers.some(([call]) => call === 'auth.prove'),
      'and answered',
    );
    assert.equal(await server.proofs(), proofs, 'which proves nothing there');
    assert.ok(!JSON.stringify(answers).includes('"token"'));
    rmSync(folder, { recursive: true });
  });

  async function relayIn(folder: string) {
    const socket = join(folder, 'walt.sock');
    const relay = await HostileServer.start(socket, server.socket);
    after(() => relay[Symbol.asyncDispose]());
    const answers: [call: string, answer: unknown][] = [];
    relay.tamper = (call, answer) => {
      answers.push([call, answer]);
      return answer;
    };
    return { socket, answers };
  }
});

describe('a socket', { skip: process.getuid?.() !== 0 && 'needs root, to play other users' }, () => {
  const NOBODY = 65_534;

  for (const [what, change, undo] of [
    [
      'of another user',
      () => chownSync(hostile.socket, NOBODY, NOBODY),
      () => chownSync(hostile.socket, 0, 0),
    ],
    [
      'in a folder of another user',
      () => chownSync(server.folder, NOBODY, NOBODY),
      () => chownSync(server.folder, 0, 0),
    ],
    [
      'in a folder where all may write',
      () => chmodSync(server.folder, 0o777),
      () => chmodSync(server.folder, 0o700),
    ],
  ] as const) {
    test(`${what} is not even asked`, async () => {
      change();
      try {
        const { status, stderr } = await checkout.run(['node', 'show'], { env });
        assert.equal(status, 1);
        assert.match(stderr, /hostile\.sock is not trusted/);
        assert.match(stderr, /→ .*WALT_SOCKET/);
      } finally {
        undo();
      }
    });
  }
});

describe('what OpenSSH is to read', () => {
  const line = `\n  ProxyCommand touch ${planted}\n  PermitLocalCommand yes`;
  const lies: [what: string, call: string, lie: (json: never) => unknown][] = [
    [
      'the name of a host key has a line more',
      'access.certify',
      (json: { hostKeyAliases: object }) => ({
        ...json,
        hostKeyAliases: mapStrings(json.hostKeyAliases, (text) => text + line),
      }),
    ],
    [
      'the certificate has a line more',
      'access.certify',
      (json: { certificate: string }) => ({ ...json, certificate: json.certificate + line }),
    ],
    [
      'another authority is to be believed for all hosts',
      'access.certify',
      (json: { knownHosts: string }) => ({
        ...json,
        knownHosts: json.knownHosts.replace('walt-node-*', '*'),
      }),
    ],
    [
      'a node is called like a configuration',
      'node.list',
      (json: { name: string }[]) => json.map((node) => ({ ...node, name: `vnode1${line}` })),
    ],
    [
      'a node is called like a path',
      'node.list',
      (json: { name: string }[]) => json.map((node) => ({ ...node, name: `../../../../planted` })),
    ],
  ];
  for (const [what, tampered, lie] of lies) {
    for (const command of [['node', 'run', 'vnode1', 'true'], ['ssh-config']]) {
      if (command[0] === 'ssh-config' && tampered !== 'node.list') continue;
      test(`${what}: \`walt ${command[0]}\` ends, and runs nothing`, async () => {
        hostile.tamper = (call, answer) =>
          call === tampered ? { json: lie((answer as { json: never }).json) } : answer;
        const { status, stdout, stderr } = await checkout.run(command, { env });
        assert.equal(status, 1);
        assert.match(stderr, /^walt: This is not (the name of a|a certificate|known hosts)/);
        assert.equal(stdout, '');
        assert.ok(!existsSync(planted));
        for (const file of readdirSync(cache, { recursive: true, withFileTypes: true })) {
          if (!file.isFile() || file.parentPath.includes('compiled')) continue;
          assert.doesNotMatch(
            readFileSync(join(file.parentPath, file.name), 'utf8'),
            /ProxyCommand touch|\* \* ssh/,
          );
          assert.ok(!file.name.startsWith('planted'), file.name);
        }
      });
    }
  }
});

test('what a shell would carry out is not offered to complete its line', async () => {
  for (const evil of [
    'x;id',
    'x$(id)',
    '`id`',
    'x\nid',
    '-oProxyCommand=id',
    '!id',
    '~root',
    '/*',
    'x id',
    "'",
    '|id',
  ]) {
    hostile.tamper = (call, answer) =>
      call.startsWith('auth.') ? answer : mapStrings(answer, (text) => (text === 'vnode1' ? evil : text));
    for (const words of [
      ['node', 'shell', ''],
      ['node', 'reboot', '--where', 'name='],
    ]) {
      const { stdout } = await checkout.run(['complete', '--', ...words], { env });
      assert.match(stdout, /^(name=)?free1$/m);
      assert.doesNotMatch(stdout, /[^A-Za-z0-9=\n-]|^-|^id$/m);
    }
  }
});

describe('a terminal', () => {
  /** Title, conceal (which we never use), C1, DEL, direction of writing, back to the line's start, backspace, bell. */
  const EVIL = '\x1b]0;pwned\x07\x1b[8mh\x9b2J\x7f\u202e\u2066\rX\x08\u061c\x00';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what we write ourselves: colours, a line of progress, readline's question
  const OURS = /\x1b\[(?:0|1|2|3[1-6])?(?:;(?:1|2|3[1-6]))*m|\x1b\[[0-9]*[GJ]|\r\x1b\[K|\r+\n/g;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not reach a terminal
  const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Bidi_Control}]/u;
  /** Words of the contract that decide what the client does; it gets no further with others. */
  const WORDS = new Set(
    `progress result line exit error booted booting waiting failed lost off virtual physical volumes nfs-root A M D file folder running
     exited amd64 arm64 docker-registry-v2 https bytes nodes percent alice`.split(/\s+/),
  );

  /** What to call each command with; null: its output is that of a program elsewhere, or help of our own. */
  const lines: Record<string, string[][] | null> = {
    'node show': [[], ['vnode1'], ['--all'], ['--names-only'], ['--where', 'type=virtual']],
    'node create': [['new1']],
    'node remove': [['vnode1']],
    'node boot': [['vnode1', 'debian']],
    'node deploy': [['vnode1', 'debian']],
    'node reboot': [['vnode1']],
    'node wait': [['vnode1']],
    'node log': [['vnode1']],
    'node shell': [['vnode1']],
    'node run': [['vnode1', 'true']],
    'node cp': [['vnode1:/x', '/nonexistent/y']],
    'node expose': [['vnode1', '80', '0']],
    'node ping': [['vnode1', '-c', '1']],
    'node blink': [['vnode1', '1']],
    'node console': [['vnode1']],
    'node acquire': [['free1']],
    'node release': [['vnode1']],
    'node rename': [['vnode1', 'other']],
    'node allow': [['vnode1', 'root', '--group', 'root']],
    'node disallow': [
      ['vnode1', 'root'],
      ['vnode1', '--all'],
    ],
    'node save': [
      ['vnode1', 'saved'],
      ['vnode1', 'saved', '--dry-run'],
    ],
    'node verify': [['vnode1']],
    'node config': [['vnode1'], ['vnode1', 'boot.retries=3']],
    'image show': [[], ['--all'], ['debian']],
    'image shell': [['debian']],
    'image run': [['debian', '--', 'true']],
    'image build': [['built', '.']],
    'image cp': [['debian:/x', '/nonexistent/y']],
    'image cross': [['debian', '--', 'true']],
    'image duplicate': [['bob/x', 'mine']],
    'image squash': [['debian']],
    'image rename': [['debian', 'deb']],
    'image allow': [
      ['debian', 'private'],
      ['debian', 'shared', 'root', '--group', 'root'],
    ],
    'image remove': [['debian']],
    'image log': [['debian']],
    'image diff': [['debian'], ['debian', '--stat'], ['debian', '--patch']],
    'image undo': [['debian']],
    'image tag': [['debian@{1}', 'old']],
    'image prune': [[], ['--dry-run']],
    'image search': [[], ['exp']],
    'image clone': [['lab:exp']],
    'image publish': [['debian']],
    'registry show': [[]],
    'registry login': null,
    'registry logout': [['lab']],
    'log show': [
      [],
      ['--csv'],
      ['--format', '{issuer} {stream} {line}'],
      ['--history', 'now:', '--issuers', 'server'],
    ],
    'log export': [[], ['--csv'], ['--output', '/nonexistent/x']],
    'log import': [['/dev/null']],
    'log wait': [['x', '--time-margin', '5', '--timeout', '1']],
    'log add-checkpoint': [['now']],
    'log remove-checkpoint': [['now']],
    'log list-checkpoints': [[]],
    'device show': [[]],
    'device config': [['vnode1'], ['vnode1', 'type=node']],
    'device rename': [['vnode1', 'other']],
    'device ping': [['vnode1', '-c', '1']],
    'device shell': [['unknown-b827eb123456']],
    'device forget': [['free1']],
    // These ask no server.
    'server add': null,
    'server list': null,
    'server use': null,
    'server remove': null,
    'help list': null,
    'help show': null,
    'advanced server-status': [[]],
    'advanced quotas': [[], ['--all'], ['--json']],
    'advanced disk-usage': [[], ['--json']],
    'advanced audit': [['--history', 'full'], ['--json']],
    'advanced update-default-images': [[]],
    'advanced dump-bash-autocomplete': null,
    'advanced dump-zsh-autocomplete': null,
  };
  const known = Object.entries(categories).flatMap(([name, { commands }]) =>
    Object.keys(commands).map((verb) => `${name} ${verb}`),
  );

  test('every command is tried here', () => {
    assert.deepEqual(Object.keys(lines).sort(), known.sort());
  });

  /** In the words that lead on, nothing is changed: the rest is what the client shows. */
  const inTexts = (call: string, answer: unknown) =>
    call.startsWith('auth.') ? answer : mapStrings(answer, (text) => (WORDS.has(text) ? text : text + EVIL));
  const everywhere = (call: string, answer: unknown) =>
    call.startsWith('auth.') ? answer : mapStrings(answer, (text) => text + EVIL);
  const failure = { code: 'CONFIRM', message: `Really ${EVIL}?`, data: { hint: `Do ${EVIL}` } };

  for (const [command, variants] of Object.entries(lines)) {
    for (const words of variants ?? []) {
      test(`is not steered by what \`walt ${command} ${words.join(' ')}\` prints`, {
        timeout: 600_000,
      }, async () => {
        hostile.lastFrame = { type: 'error', code: `X${EVIL}`, message: `M${EVIL}`, hint: `H${EVIL}` };
        for (const lie of [{ tamper: inTexts }, { tamper: everywhere }, { failure }]) {
          Object.assign(hostile, { failure: undefined }, lie);
          const argv = [...command.split(' '), ...words];
          using pty = checkout.terminal(argv, { env });
          // To whatever it asks, and whenever.
          const no = setInterval(() => pty.type('n\r\x04'), 100);
          await pty.exited;
          clearInterval(no);
          const shown = pty.output.replace(OURS, '');
          assert.doesNotMatch(shown, STEERING, JSON.stringify(pty.output));
        }
      });
    }
  }

  test('is not steered by a frame that is none, which is told', async () => {
    hostile.lastFrame = EVIL;
    using pty = checkout.terminal(['node', 'console', 'vnode1'], { env });
    await pty.expect(/walt: What answers at .* is no WalT server of this version\./);
    await pty.exited;
    assert.doesNotMatch(pty.output.replace(OURS, ''), STEERING, JSON.stringify(pty.output));
  });

  test('what is shown is there, in writing', async () => {
    hostile.tamper = inTexts;
    const { stdout } = await checkout.run(['image', 'search'], { env });
    assert.match(stdout, /\\x1b\]0;pwned\\x07\\x1b\[8mh\\x9b2J\\x7f\\u202e\\u2066\\x0dX\\x08\\u061c\\x00/);
  });

  test('--json tells the very text, and steers nothing either', async () => {
    for (const words of [
      ['node', 'show', '--json'],
      ['image', 'search', '--json'],
      ['device', 'show', '--json'],
    ]) {
      hostile.tamper = (_call, answer) => answer;
      const honest = JSON.parse((await checkout.run(words, { env })).stdout);
      hostile.tamper = inTexts;
      const { stdout } = await checkout.run(words, { env });
      assert.doesNotMatch(stdout, STEERING);
      assert.deepEqual(
        JSON.parse(stdout),
        mapStrings(honest, (text) => (WORDS.has(text) ? text : text + EVIL)),
      );
      hostile.tamper = (call, answer) => (call.startsWith('auth.') ? answer : { nonsense: true });
      const failed = await checkout.run(words, { env });
      assert.equal(failed.status, 1);
      assert.ok(JSON.parse(failed.stderr).error.code);
    }
  });
});
