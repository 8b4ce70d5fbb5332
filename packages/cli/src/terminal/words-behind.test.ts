import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { splitBehind } from './words-behind.ts';

function split(...words: string[]): [command: string[], options: object] {
  let found: [string[], object] = [[], {}];
  const command = new Command('walt image run')
    .argument('<image>')
    .argument('<command...>')
    .option('--save-as <name>')
    .option('--prefix <folder>', '', '/usr/local')
    .option('--no-save')
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .passThroughOptions()
    .action((_image, behind: string[], _options, own: Command) => {
      const { command, options } = splitBehind(own, behind);
      found = [command, options];
    });
  command.parse(words, { from: 'user' });
  return found;
}

const none = { prefix: '/usr/local', save: true };

test('everything behind the command is its own', () => {
  assert.deepEqual(split('img', 'ls', '-l'), [['ls', '-l'], none]);
  assert.deepEqual(split('img', 'ls', '--save-as', 'x', '--', '-h'), [
    ['ls', '--save-as', 'x', '--', '-h'],
    none,
  ]);
  assert.deepEqual(split('img', '--', '-x', '--', 'y'), [['-x', '--', 'y'], none]);
});

test('our options stand before the image or behind it', () => {
  const saved = { ...none, saveAs: 'x' };
  assert.deepEqual(split('--save-as', 'x', 'img', 'ls', '-l'), [['ls', '-l'], saved]);
  assert.deepEqual(split('img', '--save-as', 'x', 'ls', '-l'), [['ls', '-l'], saved]);
  assert.deepEqual(split('img', '--save-as=x', '--', 'ls', '-l'), [['ls', '-l'], saved]);
  assert.deepEqual(split('--prefix', '/opt', 'img', '--no-save', 'make'), [
    ['make'],
    { prefix: '/opt', save: false },
  ]);
  assert.deepEqual(split('--prefix', '/opt', 'img', '--prefix', '/srv', 'make')[1], {
    ...none,
    prefix: '/srv',
  });
});

test('what is neither an option of ours nor a command is named', () => {
  assert.throws(() => split('img', '-l', 'ls'), { code: 'commander.unknownOption', message: /-l/ });
  assert.throws(() => split('img', '--save-as', 'x'), { code: 'commander.missingArgument' });
  assert.throws(() => split('img', '--save-as', 'x', '--'), { code: 'commander.missingArgument' });
});
