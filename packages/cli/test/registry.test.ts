import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { openFakeClient } from './client.ts';
import { fakeDigest, makeImage, makeRegistry } from './fixtures.ts';

const { server, checkout } = await openFakeClient();

beforeEach(() => {
  const { world } = server;
  world.calls.length = 0;
  world.confirm.clear();
  world.registries = [makeRegistry('lab', { username: 'ann' })];
  world.images = [makeImage('alice', 'exp')];
  world.found = [];
  world.failed = [];
});

const inputOf = (wanted: string) => server.world.calls.find(([name]) => name === wanted)?.[1];

describe('walt registry login', () => {
  test('takes the password from standard input', async () => {
    const words = ['registry', 'login', 'lab', '--username', 'ann', '--password-stdin'];
    const { status, stdout } = await checkout.run(words, { input: 'se cret\n' });
    assert.equal(status, 0);
    assert.equal(stdout, 'You are logged in to lab as ann.\n');
    assert.deepEqual(inputOf('registry.login'), { registry: 'lab', username: 'ann', password: 'se cret' });
  });

  test('asks on the terminal, and does not show the password', async () => {
    using pty = checkout.terminal(['registry', 'login', 'lab']);
    await pty.expect(/User name on lab: /);
    pty.type('ann\r');
    await pty.expect(/Password of ann: /);
    pty.type('secret\r');
    const [shown] = await pty.expect(/[^:]*You are logged in to lab as ann\./);
    assert.doesNotMatch(shown, /secret/);
    assert.equal(await pty.exited, 0);
    assert.deepEqual(inputOf('registry.login'), { registry: 'lab', username: 'ann', password: 'secret' });
  });

  const refused: [what: string, words: string[], input: string, status: number, message: RegExp][] = [
    ['no terminal', [], '', 2, /no terminal[\s\S]*--password-stdin/],
    ['no user name', ['--password-stdin'], 'secret', 2, /needs a user name/],
    ['no password', ['--username', 'ann', '--password-stdin'], '\n', 1, /No password was given/],
  ];
  for (const [what, words, input, status, message] of refused) {
    test(`refuses ${what}`, async () => {
      const outcome = await checkout.run(['registry', 'login', 'lab', ...words], { input });
      assert.equal(outcome.status, status);
      assert.match(outcome.stderr, message);
      assert.equal(inputOf('registry.login'), undefined);
    });
  }
});

test('walt registry show and logout', async () => {
  const { stdout } = await checkout.run(['registry', 'show']);
  assert.match(stdout, /^LABEL +HOST +LOGIN +DESCRIPTION\nlab +lab\.example +ann/);
  const json = await checkout.run(['registry', 'show', '--json']);
  assert.deepEqual(JSON.parse(json.stdout), server.world.registries);
  const logout = await checkout.run(['registry', 'logout', 'lab']);
  assert.equal(logout.stdout, 'You are no longer logged in to lab as alice.\n');
});

test('walt image clone hands on what was asked for, and tells the digest', async () => {
  const words = ['image', 'clone', 'lab:exp:v1', 'mine', '--force', '--arch', 'arm64'];
  const { status, stdout } = await checkout.run(words);
  assert.equal(status, 0);
  assert.match(stdout, /^alice\/mine is a clone of lab:exp:v1 now \(sha256:\w{12}, amd64\)\./);
  assert.match(stdout, new RegExp(`lab:exp@${fakeDigest}`));
  assert.deepEqual(server.world.calls.find(([name]) => name === 'image.clone')?.[1], {
    ...{ name: 'mine', force: true, architecture: 'arm64' },
    link: 'lab:exp:v1',
  });
  const wrong = await checkout.run(['image', 'clone', 'nonsense']);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /must look like "walt:owner\/name"/);
});

test('walt image publish asks before it replaces', async () => {
  server.world.confirm.set('image.publish', 'Registry "lab" has another image alice/exp:latest already.');
  const refused = await checkout.run(['image', 'publish', 'exp']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /another image[\s\S]*--yes/);
  const { status, stdout } = await checkout.run(['image', 'publish', 'exp', '--yes', '--json']);
  assert.equal(status, 0);
  assert.equal(JSON.parse(stdout).link, 'lab:alice/exp:latest');
});

test('walt image search shows what was found, and which registry did not answer', async () => {
  const found = {
    location: 'lab',
    name: 'exp:v1',
    link: 'lab:exp:v1',
    architecture: null,
    description: 'a\n b',
  };
  server.world.failed = [{ registry: 'hub', reason: 'It is down.', hint: 'Wait.' }];
  const nothing = await checkout.run(['image', 'search']);
  assert.equal(nothing.status, 1);
  assert.match(nothing.stderr, /It is down\.\n {2}→ Wait\./);
  server.world.found = [found];
  const { status, stdout, stderr } = await checkout.run(['image', 'search', 'exp']);
  assert.equal(status, 0);
  assert.match(stdout, /lab +lab:exp:v1 +- +a b/);
  assert.match(stderr, /Without those of hub: It is down\./);
  const json = JSON.parse((await checkout.run(['image', 'search', '--json'])).stdout);
  assert.deepEqual(json, { found: [found], failed: server.world.failed });
});
