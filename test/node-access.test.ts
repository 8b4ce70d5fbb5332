/** The ways to a node: `node run`, `node cp`, and OpenSSH's own programs through `walt ssh-config`. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DEFAULT_IMAGE, Platform } from './platform.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start();
  await platform.boot('alpha', 'beta');
});
after(() => platform?.close());

test('node run on one node passes output, input and exit status through', async () => {
  const { root } = platform;
  const failed = await root.walt('node', 'run', 'alpha', '--', 'echo to-out; echo to-err >&2; exit 7');
  assert.deepEqual(failed, { status: 7, stdout: 'to-out\n', stderr: 'to-err\n' });
  const odd = ["it's", 'a  "b"', '$HOME', '*', '--json', ''];
  const words = await root.ok('node', 'run', 'alpha', '--', 'printf', '[%s]\\n', ...odd);
  assert.equal(words, odd.map((word) => `[${word}]\n`).join(''));
  const piped = await root.run([root.launcher, 'node', 'run', 'alpha', '--', 'tr a-z A-Z'], {
    input: 'input\n',
  });
  assert.equal(piped.stdout, 'INPUT\n');
});

test('node run on a set runs everywhere at once, names each line, and answers the highest status', async () => {
  const { root } = platform;
  // Each node waits for the other's sign, relayed by nobody: run in turns, this would never end. A node's name is known
  // to the other by DNS, its sign is that the port is open.
  const meet =
    'peer=alpha; [ "$(hostname)" = alpha ] && peer=beta; ' +
    'nc -l -p 5000 >/dev/null & until nc -z -w 1 $peer 5000; do sleep 0.2; done; ' +
    'echo "$(hostname) met $peer"; [ "$(hostname)" = alpha ] || exit 3';
  const { status, stdout } = await root.walt('node', 'run', 'alpha,beta', '--', meet);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['alpha: alpha met beta', 'beta: beta met alpha']);
  assert.equal(status, 3);

  const data = JSON.parse(
    (await root.walt('node', 'run', '--json', 'my-nodes', '--', 'hostname; exit 4')).stdout,
  );
  assert.equal(data.status, 4);
  assert.deepEqual(
    data.nodes.map(({ node, status, stdout }: Record<string, unknown>) => [node, status, stdout]),
    [
      ['alpha', 4, 'alpha\n'],
      ['beta', 4, 'beta\n'],
    ],
  );
});

test('node cp copies files and folders both ways, whatever their names', async () => {
  const { root, folder } = platform;
  const names = ['plain', 'two words', 'quote\'d "name"', '-dash', 'ümläut', 'star*'];
  const source = join(folder, 'to-copy');
  await mkdir(source);
  for (const name of names) await writeFile(join(source, name), `content of ${name}\n`);

  await root.ok('node', 'cp', source, 'alpha:/root/');
  const there = await root.on('alpha', 'cd /root/to-copy && for f in ./*; do cat "$f"; done | sort');
  assert.deepEqual(there.trim().split('\n'), names.map((name) => `content of ${name}`).sort());

  const back = join(folder, 'came-back');
  await root.ok('node', 'cp', 'alpha:/root/to-copy', back);
  for (const name of names) {
    assert.equal(await readFile(join(back, name), 'utf8'), `content of ${name}\n`);
  }
  const one = join(folder, 'one file');
  await root.ok('node', 'cp', 'alpha:/root/to-copy/quote\'d "name"', one);
  assert.equal(await readFile(one, 'utf8'), 'content of quote\'d "name"\n');

  const missing = await root.walt('node', 'cp', 'alpha:/no/such/file', folder);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /\/no\/such\/file/);
});

test('node cp to booted-image keeps a file of the node in the image that it boots', async () => {
  const { root, folder } = platform;
  await root.on(
    'alpha',
    'mkdir -p /opt/kept && echo made on the node >/opt/kept/note && chmod 640 /opt/kept/note',
  );
  const said = await root.ok('node', 'cp', 'alpha:/opt/kept', 'booted-image');
  assert.match(said, new RegExp(`${DEFAULT_IMAGE} is saved`));
  const back = join(folder, 'kept');
  await root.ok('image', 'cp', `${DEFAULT_IMAGE}:/opt/kept`, back);
  assert.equal(await readFile(join(back, 'note'), 'utf8'), 'made on the node\n');
  assert.equal((await stat(join(back, 'note'))).mode & 0o777, 0o640);

  const missing = await root.walt('node', 'cp', 'alpha:/opt/nothing', 'booted-image');
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /alpha could not read \/opt\/nothing/);
  assert.match(missing.stderr, /The image is as it was/);
});

test('ssh, scp and rsync reach nodes through the printed stanza, with every check on', async () => {
  const { root, folder } = platform;
  const config = join(root.home, '.ssh', 'config');
  await mkdir(join(root.home, '.ssh'), { mode: 0o700 });
  await appendFile(config, await root.ok('ssh-config'), { mode: 0o600 });
  assert.doesNotMatch(await readFile(config, 'utf8'), /StrictHostKeyChecking no/i);
  // OpenSSH takes the home folder from the password file, so the configuration is named.
  const ok = async (...command: string[]) => {
    const { status, stdout, stderr } = await root.run(command);
    assert.equal(status, 0, `${command.join(' ')}: ${stderr}`);
    return stdout;
  };
  assert.equal(await ok('ssh', '-F', config, 'alpha', 'hostname'), 'alpha\n');
  assert.equal(await ok('ssh', '-F', config, 'beta.walt', 'hostname; id -u'), 'beta\n0\n');

  const file = join(folder, 'payload');
  await writeFile(file, Buffer.alloc(3_000_000, 'walt'));
  await ok('scp', '-F', config, file, 'alpha:/tmp/payload');
  await ok('rsync', '-e', `ssh -F ${config}`, '--archive', 'alpha:/tmp/payload', `${file}.back`);
  assert.deepEqual(await readFile(`${file}.back`), await readFile(file));

  // A node that is not the one asked for is refused, by its key: alpha's address with beta's name.
  const known = join(folder, 'empty-known-hosts');
  await writeFile(known, '');
  const stranger = await root.run([
    'ssh',
    '-F',
    config,
    '-o',
    `UserKnownHostsFile=${known}`,
    'alpha',
    'true',
  ]);
  assert.equal(stranger.status, 255);
  assert.match(stranger.stderr, /host key/i);
});

test('a renamed node keeps its address and /persist, and is reached by its new name', async () => {
  const { root } = platform;
  await root.on('beta', 'echo mine >/persist/before-rename');
  const before = (await platform.node()).find(({ name }) => name === 'beta');
  await root.ok('node', 'rename', 'beta', 'gamma');
  const after = (await platform.node()).find(({ name }) => name === 'gamma');
  assert.equal(after?.ip, before?.ip);
  assert.equal(await root.on('gamma', 'cat /persist/before-rename'), 'mine\n');
  const old = await root.walt('node', 'run', 'beta', '--', 'true');
  assert.equal(old.status, 1);
  assert.match(old.stderr, /beta/);
  await root.ok('node', 'rename', 'gamma', 'beta');
});

test('node ping says whether a node answers', async () => {
  const { root } = platform;
  assert.match(await root.ok('node', 'ping', 'alpha', '--count', '1'), /1 received/);
});

test('node wait ends at its time limit', async () => {
  const { root } = platform;
  await root.ok('node', 'reboot', 'beta', '--hard');
  const early = await root.walt('node', 'wait', 'beta', '--timeout', '1');
  assert.equal(early.status, 1);
  assert.match(early.stderr, /beta/);
  assert.match(early.stderr, /1 s/);
  await platform.booted('beta');
});
