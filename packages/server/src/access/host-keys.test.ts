import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../platform/index.ts';
import { makeHostKey, readHostAuthority } from './host-keys.ts';

let folder: string;
let authority: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-host-keys-'));
  authority = join(folder, 'authority');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', authority]);
});
after(() => rm(folder, { recursive: true, force: true }));

// Names of other lengths: a private key is padded by none to seven bytes.
for (const name of Array.from({ length: 8 }, (_, length) => `walt-node-7-${'f'.repeat(length)}`)) {
  test(`ssh-keygen reads the key of ${name}, and that its certificate is for it alone`, async () => {
    const { privateKey, certificate } = makeHostKey(
      name,
      readHostAuthority(await readFile(authority, 'utf8')),
    );
    const file = join(folder, name);
    await writeFile(file, privateKey, { mode: 0o600 });
    await writeFile(`${file}-cert.pub`, certificate);
    const derived = await run(['ssh-keygen', '-y', '-f', file]);
    assert.match(derived, new RegExp(`^ssh-ed25519 \\S+ ${name}\n$`));
    await writeFile(`${file}.pub`, derived);
    const [told, own, signer] = await Promise.all([
      run(['ssh-keygen', '-L', '-f', `${file}-cert.pub`]),
      run(['ssh-keygen', '-l', '-f', file]),
      run(['ssh-keygen', '-l', '-f', authority]),
    ]);
    const print = (line: string) => line.split(' ')[1] ?? '';
    const expected = [
      'Type: ssh-ed25519-cert-v01@openssh.com host certificate',
      `Public key: ED25519-CERT ${print(own)}`,
      `Signing CA: ED25519 ${print(signer)} (using ssh-ed25519)`,
      `Key ID: "${name}"`,
      'Serial: 0',
      'Valid: forever',
      'Principals: ',
      name,
      'Critical Options: (none)',
      'Extensions: (none)',
    ];
    const lines = told.split('\n').slice(1, -1);
    assert.deepEqual(
      lines.map((line) => line.trimStart()),
      expected,
    );
  });
}

test('a key that is encrypted, or none, is no authority', async () => {
  const file = join(folder, 'encrypted');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'a passphrase', '-f', file]);
  for (const text of [await readFile(file, 'utf8'), await readFile(`${file}.pub`, 'utf8'), '']) {
    assert.throws(() => readHostAuthority(text), /not as ssh-keygen makes it/);
  }
});
