import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastWords } from './host-session.ts';
import { checkFeature, checkHostName } from './host-words.ts';

for (const name of ['h1', 'rack-1', 'a', 'lab2-left']) {
  test(`a name for a host: ${name}`, () => checkHostName(name));
}

const badNames = [
  ...['', '-h1', 'h1-', 'H1', '1h', 'h 1', 'h1\n', 'h[1-3]', 'h1,h2', 'h.1', 'läb', '$(id)', "h'1", '../h1'],
  ...['any', 'all', 'default', 'localhost', 'none', 'a'.repeat(33)],
];
for (const name of badNames) {
  test(`no name for a host: ${JSON.stringify(name)}`, () => {
    assert.throws(() => checkHostName(name), { code: 'INVALID', message: /is no name for a host/ });
  });
}

for (const word of ['gpu', 'usb-serial', 'on_h1', 'Rack.2']) {
  test(`a word for what a host has: ${word}`, () => checkFeature(word));
}

for (const word of ['', '-gpu', 'a b', 'a,b', 'a&b', 'a=b', "a'b", 'a\nb']) {
  test(`no word for what a host has: ${JSON.stringify(word)}`, () => {
    assert.throws(() => checkFeature(word), { code: 'INVALID', message: /is no word for what a host has/ });
  });
}

for (const word of ['kvm', 'amd64', 'arm64']) {
  test(`what is found out is not said: ${word}`, () => {
    assert.throws(() => checkFeature(word), { code: 'INVALID', message: /is found out/ });
  });
}

for (const [word, option] of [
  ['volumes', '--volumes'],
  ['no-nodes', '--volumes-only'],
] as const) {
  test(`what has an option is no other word: ${word}`, () => {
    assert.throws(() => checkFeature(word), { code: 'INVALID', hint: new RegExp(`^Say ${option} instead`) });
  });
}

const said: [output: string, words: string][] = [
  ['', 'it said nothing'],
  ['one\ntwo\nthree\n', 'two · three'],
  ['Reading lists\nE: no such package\nE: stop\nDone\n', 'E: no such package · E: stop'],
  ['slurmd: error: no munge\nslurmd: bye\n', 'slurmd: error: no munge'],
  ['\x1b[31mred\x1b[0m', '?[31mred?[0m'],
];
for (const [output, words] of said) {
  test(`the last words of ${JSON.stringify(output)}`, () => assert.equal(lastWords(output), words));
}
