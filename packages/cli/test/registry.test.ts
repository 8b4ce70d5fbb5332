/** Registries, on a real one that has a certificate and a password of its own. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { startRegistry } from '../../server/test/registry.ts';
import { openClient } from './client.ts';

const folder = await mkdtemp(join(tmpdir(), 'walt-cli-registry-'));
const lab = await startRegistry(folder);
after(async () => {
  await lab[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
const { server, checkout } = await openClient({
  registries: [
    { label: 'lab', host: lab.host, ca: lab.ca, description: 'of the lab' },
    // Nobody listens on port 9.
    { label: 'down', host: 'localhost:9' },
  ],
});
const { registries } = server.platform.images;

beforeEach(async () => {
  await server.clear();
  await registries.logout('alice', 'lab');
});

const login = () => registries.login('alice', 'lab', lab.username, lab.password);
const loginOf = async (label: string) =>
  (await registries.list('alice')).find((registry) => registry.label === label)?.username;

describe('walt registry login', () => {
  test('takes the password from standard input', async () => {
    const words = ['registry', 'login', 'lab', '--username', lab.username, '--password-stdin'];
    const { status, stdout, stderr } = await checkout.run(words, { input: `${lab.password}\n` });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'You are logged in to lab as ann.\n');
    assert.equal(await loginOf('lab'), 'ann');
  });

  test('asks on the terminal, and does not show the password', async () => {
    using pty = checkout.terminal(['registry', 'login', 'lab']);
    await pty.expect(/User name on lab: /);
    pty.type(`${lab.username}\r`);
    await pty.expect(/Password of ann: /);
    pty.type(`${lab.password}\r`);
    const [shown] = await pty.expect(/[^:]*You are logged in to lab as ann\./);
    assert.ok(!shown.includes(lab.password));
    assert.equal(await pty.exited, 0);
    assert.equal(await loginOf('lab'), 'ann');
  });

  const refused: [what: string, words: string[], input: string, status: number, message: RegExp][] = [
    ['no terminal', [], '', 2, /no terminal[\s\S]*--password-stdin/],
    ['no user name', ['--password-stdin'], 'secret', 2, /needs a user name/],
    ['no password', ['--username', 'ann', '--password-stdin'], '\n', 1, /No password was given/],
    ['a wrong password', ['--username', 'ann', '--password-stdin'], 'wrong\n', 1, /password/],
  ];
  for (const [what, words, input, status, message] of refused) {
    test(`refuses ${what}`, async () => {
      const outcome = await checkout.run(['registry', 'login', 'lab', ...words], { input });
      assert.equal(outcome.status, status);
      assert.match(outcome.stderr, message);
      assert.equal(await loginOf('lab'), null);
    });
  }
});

test('walt registry show and logout', async () => {
  await login();
  const { stdout } = await checkout.run(['registry', 'show']);
  assert.match(stdout, /^LABEL +HOST +LOGIN +DESCRIPTION\nlab +localhost:\d+ +ann +of the lab$/m);
  const json = await checkout.run(['registry', 'show', '--json']);
  assert.deepEqual(JSON.parse(json.stdout), await registries.list('alice'));
  const logout = await checkout.run(['registry', 'logout', 'lab']);
  assert.equal(logout.stdout, 'You are no longer logged in to lab as ann.\n');
  assert.equal(await loginOf('lab'), null);
});

test('an image is published, and asked for where another has its name; it is found, and cloned', async () => {
  await login();
  const { digest } = await server.addTree('alice/exp', { file: 'first' });
  const first = await checkout.run(['image', 'publish', 'exp', '--registry', 'lab', '--json']);
  assert.equal(first.status, 0, first.stderr);
  const { link, source } = JSON.parse(first.stdout);
  assert.equal(link, 'lab:alice/exp:latest');

  const found = await checkout.run(['image', 'search', 'exp']);
  assert.equal(found.status, 0);
  assert.match(found.stdout, /lab +lab:alice\/exp:latest/);
  assert.match(found.stderr, /Without those of down: /);
  const json = JSON.parse((await checkout.run(['image', 'search', 'exp', '--json'])).stdout);
  assert.deepEqual([json.found.length, json.failed[0].registry], [1, 'down']);

  await server.addTree('alice/exp', { file: 'second' });
  const refused = await checkout.run(['image', 'publish', 'exp', '--registry', 'lab']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /another image[\s\S]*--yes/);
  const agreed = await checkout.run(['image', 'publish', 'exp', '--registry', 'lab', '--yes']);
  assert.equal(agreed.status, 0, agreed.stderr);

  const clone = await checkout.run(['image', 'clone', source, 'mine', '--arch', 'amd64']);
  assert.equal(clone.status, 0, clone.stderr);
  assert.match(
    clone.stdout,
    /^alice\/mine is a clone of lab:alice\/exp@sha256:\w+ now \(sha256:\w{12}, amd64\)\./,
  );
  assert.ok(clone.stdout.includes(source));
  assert.equal((await server.platform.images.get('alice', 'mine')).digest, digest);
  const again = await checkout.run(['image', 'clone', link, 'mine']);
  assert.match(again.stderr, /There is an image named "alice\/mine" already[\s\S]*--force/);
  assert.equal((await checkout.run(['image', 'clone', link, 'mine', '--force'])).status, 0);

  const wrong = await checkout.run(['image', 'clone', 'nonsense']);
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /must look like "walt:owner\/name"/);
});

test('walt image search ends with a failure when no registry answers', async () => {
  const { status, stderr } = await checkout.run(['image', 'search', 'nothing']);
  assert.equal(status, 1);
  assert.match(stderr, /\n {2}→ /);
});
