/** `walt image shell` on a real terminal: what can be done in it, and what becomes of what was done. */
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { imagePrompt, openImageShell } from '../image-shell-terminal.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';
import { checkTerminal } from '../terminal-checks.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
});
after(leavePlatform);

/** A copy of the default image for one test alone. */
async function copy(name: string): Promise<Image> {
  await platform.root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, name);
  return image(name);
}

async function image(name: string): Promise<Image> {
  const found = (await platform.root.json<Image[]>('image', 'show')).find((image) => image.name === name);
  assert.ok(found, `${name} is there`);
  return found;
}

/** A file of an image, by `walt image cp`. */
async function fileOf(name: string, path: string): Promise<string> {
  const target = join(platform.folder, `${name}-${path.replaceAll('/', '_')}`);
  await platform.root.ok('image', 'cp', `${name}:${path}`, target);
  return readFile(target, 'utf8');
}

test('the shell has a real terminal', async () => {
  await copy('terminal');
  await using terminal = await openImageShell(platform, 'terminal');
  await checkTerminal(terminal);
  await terminal.enter('exit');
  await terminal.expect(/New image name \[terminal\]: /);
  await terminal.press('C-c');
  assert.equal(await terminal.exited(), 1);
  await platform.root.ok('image', 'shell', 'terminal', '--discard');
});

test('the shell is the only process, and its network reaches package mirrors', async () => {
  await copy('network');
  await using terminal = await openImageShell(platform, 'network');
  await terminal.enter('echo "processes: $(ls -d /proc/[0-9]* | wc -l)"');
  await terminal.expect(/^processes: [1-4]$/m); // the shell, and those of this very command
  await terminal.enter('apt-get update >/tmp/update 2>&1; echo "update: $?"');
  await terminal.expect(/^update: 0$/m, 180_000);
  await terminal.enter('exit');
  await terminal.expect(/New image name/);
  await terminal.press('C-c');
  await terminal.exited();
  await platform.root.ok('image', 'shell', 'network', '--discard');
});

test('what apt downloads and computes is not saved with what it installs', async () => {
  const before = await copy('installed');
  await using terminal = await openImageShell(platform, 'installed');
  await terminal.enter(
    '{ apt-get update && apt-get install -y cowsay; } >/tmp/apt 2>&1; echo "apt: $?"; rm /tmp/apt',
  );
  await terminal.expect(/^apt: 0$/m, 180_000);
  await terminal.enter('exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  await terminal.expect(/root\/installed is saved/);
  assert.equal(await terminal.exited(), 0);
  assert.match(
    await platform.root.ok('image', 'run', 'installed', '/usr/games/cowsay', 'small'),
    /< small >/,
  );
  const { size } = await image('installed');
  assert.ok(size - before.size < 25_000_000, `${size - before.size} bytes were added`);
  await platform.root.ok('image', 'remove', 'installed', '--yes');
});

test('what cannot be saved is told: files that are lent, and names that mean a deletion', async () => {
  await copy('told');
  {
    await using terminal = await openImageShell(platform, 'told');
    await terminal.enter('echo 10.0.0.9 other >>/etc/hosts; echo mine >/root/.wh.mine; exit');
    await terminal.expect(/Not saved: \/etc\/hosts: image shells and nodes are given one of their own\./);
    await terminal.expect(/"\/root\/\.wh\.mine" cannot be saved: .*deleted[\s\S]*The session on told waits/);
    assert.equal(await terminal.exited(), 1);
  }
  const saving = await platform.root.walt('image', 'shell', 'told', '--save');
  assert.equal(saving.status, 1);
  assert.match(saving.stderr, /\.wh\.mine" cannot be saved/);
  await using terminal = await Terminal.open(platform.root.command('image', 'shell', 'told', '--resume'), {
    env: platform.root.env,
  });
  await terminal.expect(imagePrompt);
  await terminal.enter('mv /root/.wh.mine /root/mine; exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  assert.equal(await terminal.exited(), 0);
  assert.equal(await fileOf('told', '/root/mine'), 'mine\n');
});

test('an exit without a change saves nothing', async () => {
  const before = await copy('untouched');
  await using terminal = await openImageShell(platform, 'untouched');
  await terminal.enter('ls / >/dev/null; cd /tmp; echo typed');
  await terminal.enter('exit');
  await terminal.expect(/Nothing changed/);
  assert.equal(await terminal.exited(), 0);
  assert.deepEqual(await image('untouched'), before);
});

test('a change is saved as one more layer with nothing else in it; enter keeps the name', async () => {
  const before = await copy('changed');
  await using terminal = await openImageShell(platform, 'changed');
  await terminal.enter('echo hello >/etc/greeting; rm /etc/debian_version; mkdir /srv/data');
  await terminal.enter('exit');
  await terminal.expect(/You changed files: 2 added, 1 deleted/);
  await terminal.expect(/New image name \[changed\]: /);
  await terminal.enter('');
  await terminal.expect(/root\/changed is saved/);
  assert.equal(await terminal.exited(), 0);

  const after = await image('changed');
  assert.notEqual(after.digest, before.digest);
  assert.equal(after.layers, before.layers + 1);
  assert.equal(after.session, false);
  // Its kernel and modules are those of the image before, on the disk, too.
  for (const name of ['vmlinuz-virtual', 'vmlinuz-pc', 'modules-virtual', 'modules-pc']) {
    const inodes = [before, after].map(async ({ digest }) => {
      const file = join(platform.paths.bootFiles, digest.slice('sha256:'.length), name);
      return (await stat(file)).ino;
    });
    const [old, own] = await Promise.all(inodes);
    assert.equal(own, old, name);
  }
  assert.equal(await fileOf('changed', '/etc/greeting'), 'hello\n');
  for (const path of ['/etc/debian_version', '/run/.containerenv']) {
    const { status, stderr } = await platform.root.walt('image', 'cp', `changed:${path}`, platform.folder);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(path));
  }
});

test('saved under a new name, the old image stays as it was; a bad name is asked for again', async () => {
  const before = await copy('original');
  await using terminal = await openImageShell(platform, 'original');
  await terminal.enter('echo variant >/etc/variant');
  await terminal.enter('exit');
  await terminal.expect(/New image name \[original\]: /);
  await terminal.enter('Bad Name');
  await terminal.expect(/lower-case[\s\S]*New image name \[original\]: /);
  await terminal.enter('variant:v1');
  await terminal.expect(/root\/variant:v1 is saved/);
  assert.equal(await terminal.exited(), 0);
  assert.equal((await image('original')).digest, before.digest);
  assert.equal(await fileOf('variant:v1', '/etc/variant'), 'variant\n');
});

test('a killed client loses nothing: the session is resumed as it was, then saved', async () => {
  await copy('resumed');
  {
    await using terminal = await openImageShell(platform, 'resumed');
    await terminal.enter('secret=42; echo kept >/root/kept; echo "done: $?"');
    await terminal.expect(/^done: 0$/m);
    process.kill(await terminal.pid(), 'SIGKILL');
    await terminal.exited();
  }
  assert.equal((await image('resumed')).session, true);
  const scripted = await platform.root.walt('image', 'shell', 'resumed');
  assert.equal(scripted.status, 1);
  assert.match(scripted.stderr, /waits on resumed[\s\S]*--resume/);

  await using terminal = await Terminal.open(platform.root.command('image', 'shell', 'resumed'), {
    env: platform.root.env,
  });
  await terminal.expect(/waits on resumed[\s\S]*\[r\]esume/);
  await terminal.enter('r');
  await terminal.enter('echo "secret is $secret"');
  await terminal.expect(/^secret is 42$/m);
  // Neither a row too few nor too many, though the size was changed to have the screen drawn anew.
  await terminal.enter('stty size');
  await terminal.expect(/^30 100$/m);

  const second = await platform.root.walt('image', 'shell', 'resumed', '--resume');
  assert.equal(second.status, 1, 'one terminal at a time');
  assert.match(second.stderr, /resumed/);

  await terminal.enter('exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  assert.equal(await terminal.exited(), 0);
  assert.equal(await fileOf('resumed', '/root/kept'), 'kept\n');
});

test('what waits can be saved or discarded without a terminal', async () => {
  const before = await copy('waiting');
  for (const decision of ['--save', '--discard']) {
    const { status, stderr } = await platform.root.run(platform.root.command('image', 'shell', 'waiting'), {
      input: `echo ${decision} >/root/decision\nexit\n`,
    });
    assert.equal(status, 1);
    assert.match(stderr, /not saved yet[\s\S]*--save/);
    await platform.root.ok('image', 'shell', 'waiting', decision);
    assert.equal((await image('waiting')).session, false);
  }
  assert.notEqual((await image('waiting')).digest, before.digest);
  assert.equal(await fileOf('waiting', '/root/decision'), '--save\n', 'the second one was discarded');
});

test('nodes that boot the image are told of, and their reboot is offered', async () => {
  await copy('used');
  await platform.root.ok('node', 'create', 'user1', '--image', 'used');
  await using terminal = await openImageShell(platform, 'used');
  await terminal.enter('echo new >/etc/new');
  await terminal.enter('exit');
  await terminal.expect(/user1 boots used/);
  await terminal.enter('');
  await terminal.expect(/user1 still runs the older version\. Reboot now\? \[y\/N\]/);
  await terminal.enter('y');
  await terminal.expect(/user1 reboots/);
  assert.equal(await terminal.exited(), 0);
  await platform.root.ok('node', 'remove', 'user1', '--yes');
});

test('files go into and out of an image by image cp, whatever their names', async () => {
  await copy('copied');
  const names = ['two words', 'quote\'d "name"', '-dash', 'ümläut'];
  const root = platform.root;
  for (const name of names) {
    const file = join(platform.folder, name);
    await root.run(['sh', '-c', 'printf "%s\\n" "$1" >"$2"', 'sh', name, file]);
    await root.ok('image', 'cp', file, 'copied:/srv/');
    const back = join(platform.folder, 'back');
    await root.ok('image', 'cp', `copied:/srv/${name}`, back);
    assert.equal(await readFile(back, 'utf8'), `${name}\n`);
  }
});
