import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Checkout } from './checkout.ts';

let checkout: Checkout;

before(async () => {
  checkout = await Checkout.make();
  checkout.writeTopic('intro', '# Welcome to WalT\n\nSee [the shells](shells.md).\n');
  checkout.writeTopic('shells', '# Two kinds of shells\n\nText.\n');
  checkout.writeTopic('architecture', '# Architecture\n');
});
after(() => checkout[Symbol.dispose]());

test('help list names the topics, without the pages for developers', async () => {
  const { status, stdout } = await checkout.run(['help', 'list']);
  assert.equal(status, 0);
  assert.match(stdout, /^TOPIC +ABOUT\nintro +Welcome to WalT\nshells +Two kinds of shells\n/);
  assert.doesNotMatch(stdout, /architecture/i);
  const json = await checkout.run(['help', 'list', '--json']);
  assert.deepEqual(JSON.parse(json.stdout)[1], { name: 'shells', title: 'Two kinds of shells' });
});

test('walt help is help show intro; in a pipe there is no pager and no colour', async () => {
  const expected = 'Welcome to WalT\n═══════════════\n\nSee the shells (walt help show shells).\n';
  assert.equal((await checkout.run(['help'])).stdout, expected);
  assert.equal((await checkout.run(['help', 'show'])).stdout, expected);
});

test('an unknown topic is a failure that guesses', async () => {
  const { status, stderr } = await checkout.run(['help', 'show', 'shels']);
  assert.equal(status, 1);
  assert.equal(stderr, 'walt: The manual has no topic "shels".\n  → Did you mean `walt help show shells`?\n');
});

test('on a terminal long topics go through the pager', async () => {
  checkout.writeTopic(
    'long',
    `# Long\n\n${Array.from({ length: 100 }, (_, index) => `* item ${index}`).join('\n')}\n`,
  );
  using pty = checkout.terminal(['help', 'show', 'long']);
  await pty.expect(/item 20/);
  assert.doesNotMatch(pty.output, /item 99/);
  pty.type('G');
  await pty.expect(/item 99/);
  pty.type('q');
  assert.equal(await pty.exited, 0);
});

test('$PAGER is used; without any pager the text is printed', async () => {
  using own = checkout.terminal(['help', 'show', 'intro'], { env: { PAGER: 'tr a-z A-Z', NO_COLOR: '1' } });
  await own.expect(/WELCOME TO/);
  assert.equal(await own.exited, 0);
  using none = checkout.terminal(['help', 'show', 'intro'], { env: { PAGER: 'no-such-pager' } });
  await none.expect(/not found/);
  assert.equal(await none.exited, 0);
});

test('the help of a command breaks a line where no word fits any more; an example stays as it is', async () => {
  const { stdout } = await checkout.run(['image', 'cross', '--help']);
  const [, first, example] = stdout.split('\n\n');
  assert.equal(example, "  walt image cross board -- './configure && make && make install'");
  const lines = first?.split('\n') ?? [];
  assert.ok(lines.length > 2);
  for (const [index, line] of lines.slice(1).entries()) {
    const [word] = line.split(' ');
    assert.ok(`${lines[index]} ${word}`.length > 80, `"${word}" fits behind "${lines[index]}"`);
  }
});
