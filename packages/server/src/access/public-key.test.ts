import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isUserError } from '../platform/index.ts';
import { parsePublicKey } from './public-key.ts';

/** A key's blob, as RFC 4253 section 6.6 packs it. */
function blob(type: string, ...fields: Buffer[]): string {
  const packed = [Buffer.from(type), ...fields].flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, field];
  });
  return Buffer.concat(packed).toString('base64');
}

const ED25519 = blob('ssh-ed25519', Buffer.alloc(32, 7));

test('a key loses its comment and its line end, nothing else', () => {
  for (const rest of ['', ' ', ' alice@laptop', ' a comment of words', '\n', ' alice\r\n']) {
    assert.equal(parsePublicKey(`ssh-ed25519 ${ED25519}${rest}`), `ssh-ed25519 ${ED25519}`);
  }
});

const REFUSED: Record<string, string> = {
  nothing: '',
  'one word': 'ssh-ed25519',
  'options in front': `command="id" ssh-ed25519 ${ED25519}`,
  'a second line': `ssh-ed25519 ${ED25519}\nssh-ed25519 ${ED25519}`,
  'a lone carriage return': `ssh-ed25519 ${ED25519} a\rb`,
  'a zero byte': `ssh-ed25519 ${ED25519}\0`,
  'a tab': `ssh-ed25519\t${ED25519}`,
  'an option of ssh-keygen': '-f /etc/shadow',
  'an unknown type': `ssh-dss ${blob('ssh-dss', Buffer.alloc(20))}`,
  'a certificate': `ssh-ed25519-cert-v01@openssh.com ${blob('ssh-ed25519-cert-v01@openssh.com', Buffer.alloc(32))}`,
  'no base64': 'ssh-ed25519 %%%%',
  'base64 with rubbish in it': `ssh-ed25519 ${ED25519.slice(0, 8)}*${ED25519.slice(8)}`,
  'another type inside': `ssh-rsa ${ED25519}`,
  'a blob cut short': `ssh-ed25519 ${Buffer.from(ED25519, 'base64').subarray(0, -4).toString('base64')}`,
  'a blob with a tail': `ssh-ed25519 ${Buffer.concat([Buffer.from(ED25519, 'base64'), Buffer.from('xx')]).toString('base64')}`,
  'a type and no key': `ssh-ed25519 ${blob('ssh-ed25519')}`,
};
for (const [name, text] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parsePublicKey(text),
      (error) => isUserError(error) && error.code === 'INVALID',
    );
  });
}

test('whatever comes in, only "TYPE BASE64" comes out', () => {
  const word = fc.oneof(fc.constant('ssh-ed25519'), fc.constant(ED25519), fc.string());
  fc.assert(
    fc.property(fc.array(word, { maxLength: 4 }), fc.constantFrom(' ', '\n', '\0'), (words, separator) => {
      try {
        assert.match(parsePublicKey(words.join(separator)), /^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$/);
      } catch (error) {
        assert.ok(isUserError(error), String(error));
      }
    }),
  );
});
