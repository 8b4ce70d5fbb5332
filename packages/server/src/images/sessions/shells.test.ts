import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../../../test/until.ts';
import {
  closePlatform,
  containersOf,
  reopenPlatform,
  result,
  Typist,
  usePlatform,
} from '../../../test/platform.ts';
import { attempt, isUserError } from '../../platform/index.ts';
import { shellContainerName } from '../containers/index.ts';
import { haltImages } from '../halt.ts';
import type { ImageRecord } from '../types.ts';
import type { Terminal } from './session.ts';

const size = { columns: 90, rows: 20 };
const { platform, tiny } = await usePlatform();

async function enter(image: ImageRecord): Promise<{ id: string; typist: Typist }> {
  const { id } = await platform.images.shells.open('ann', image);
  return { id, typist: new Typist(await platform.images.shells.attach(id, size)) };
}

async function copy(name: string): Promise<ImageRecord> {
  return platform.images.duplicate('ann', tiny, { owner: 'ann', name }, true);
}

test('the shell is the only process, has the terminal size, and knows what it is in', async () => {
  const { id, typist } = await enter(await copy('process'));
  // podman answers before it has passed a size on.
  await typist.see('stty size', '20 90\r\n');
  await typist.terminal.resize({ columns: 132, rows: 43 });
  await typist.see('stty size', '43 132\r\n');
  assert.match(await typist.type('ps'), /^.*COMMAND\r\n +1 root +sh\r\n +\d+ root +\{ps\} sh\r\n$/);
  assert.match(await typist.type('echo $PS1'), /\(image\)/);
  assert.match(await typist.type('cat /etc/hostname'), /^process$/);
  await platform.images.shells.discard(id);
});

test('a save keeps what the user changed, and nothing else', async () => {
  const { id, typist } = await enter(await copy('saved'));
  await typist.type('echo new > /home/ann/notes; rm /etc/greeting; chmod 700 /tmp');
  assert.deepEqual(await platform.images.shells.changes(id), {
    added: 0,
    modified: 2,
    deleted: 1,
    sample: ['D /etc/greeting', 'M /home/ann/notes', 'M /tmp'],
    lost: [],
    note: null,
    refusal: null,
  });
  assert.equal(await typist.exit(), 0);
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'saved' }));
  assert.equal(saved.changed, true);
  assert.notEqual(saved.image.digest, tiny.digest);
  assert.equal(saved.image.layers.length, tiny.layers.length + 1);
  assert.deepEqual(await platform.images.get('ann', 'saved'), saved.image);
  assert.deepEqual(await platform.images.get('ann', 'tiny'), tiny);
  await assert.rejects(platform.images.shells.get(id), { code: 'NOT_FOUND' });

  const second = await enter(saved.image);
  assert.match(await second.typist.type('cat /home/ann/notes /etc/greeting'), /^new\r\n.*No such file/s);
  await platform.images.shells.discard(second.id);
});

test('a session without a change saves nothing', async () => {
  const image = await copy('unchanged');
  const { id, typist } = await enter(image);
  await typist.type('ls; cat < /etc/greeting; echo x > /tmp/x; rm /tmp/x');
  await typist.exit();
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'unchanged' }));
  assert.deepEqual(saved, { image, changed: false });
  await assert.rejects(platform.images.shells.get(id), { code: 'NOT_FOUND' });
});

test('a session that nobody entered has changed nothing; it can be saved, discarded, and entered after a while', async () => {
  const image = await copy('never-entered');
  const first = await platform.images.shells.open('ann', image);
  const { added, modified, deleted } = await platform.images.shells.changes(first.id);
  assert.deepEqual([added, modified, deleted], [0, 0, 0]);
  const saved = await result(
    platform.images.shells.save('ann', first.id, { owner: 'ann', name: 'never-entered' }),
  );
  assert.equal(saved.changed, false);
  const second = await platform.images.shells.open('ann', image);
  await platform.images.shells.discard(second.id);
  await assert.rejects(platform.images.shells.get(second.id), { code: 'NOT_FOUND' });
  const third = await platform.images.shells.open('ann', image);
  assert.equal((await platform.images.shells.get(third.id)).state, 'running');
  const typist = new Typist(await platform.images.shells.attach(third.id, size));
  assert.match(await typist.type('echo $((40 + 2))'), /^42\r\n$/);
  await platform.images.shells.discard(third.id);
});

test('a container that several remove at once is gone', async () => {
  const containers = await containersOf(platform);
  const image = await copy('removed');
  for (let round = 0; round < 4; round += 1) {
    const { id } = await platform.images.shells.open('ann', image);
    const name = shellContainerName(id);
    await until('the container is there', async () => (await containers.inspect(name)) !== undefined);
    await Promise.all([1, 2, 3, 4].map(() => containers.remove(name)));
    assert.equal(await containers.inspect(name), undefined);
    await platform.images.shells.discard(id);
  }
});

test('a platform that is stopped ends the session that nobody entered; it can be entered afterwards', async () => {
  const image = await copy('halted');
  const { id } = await platform.images.shells.open('ann', image);
  const containers = await containersOf(platform);
  await until('the container is ready', async () => {
    return (await containers.inspect(shellContainerName(id)))?.status === 'initialized';
  });
  await closePlatform(platform);
  await haltImages(platform.paths);
  await reopenPlatform(platform);
  const typist = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await typist.type('echo $((40 + 2))'), /^42\r\n$/);
  await platform.images.shells.discard(id);
});

test('a lost terminal leaves the shell running; the next attachment finds it', async () => {
  const { id, typist } = await enter(await copy('lost'));
  await typist.type('place=here');
  typist.terminal.stream.destroy();
  await new Promise((resolve) => typist.terminal.stream.once('close', resolve));
  const { state, attached } = await platform.images.shells.get(id);
  assert.deepEqual({ state, attached }, { state: 'running', attached: false });
  const again = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await again.type('echo $place'), /^here\r\n/m);
  await assert.rejects(platform.images.shells.attach(id, size), { code: 'CONFLICT' });
  await platform.images.shells.discard(id);
});

test('the last of many sizes is what the terminal has, also when it is entered again', async () => {
  const { id, typist } = await enter(await copy('sized'));
  await typist.type('true');
  for (let rows = 30; rows < 60; rows += 1) await typist.terminal.resize({ columns: 80, rows });
  assert.match(await typist.type('stty size'), /^59 80\r\n$/);
  await Promise.all([70, 71, 72].map((rows) => typist.terminal.resize({ columns: 80, rows })));
  assert.match(await typist.type('stty size'), /^72 80\r\n$/);
  let { terminal } = typist;
  for (let rows = 24; rows < 44; rows += 1) {
    terminal.stream.destroy();
    await once(terminal.stream, 'close');
    // Every second time, the size stays.
    terminal = await platform.images.shells.attach(id, { columns: 80, rows: rows - (rows % 2) });
    terminal.stream.write('stty size\r');
    for (let screen = ''; !screen.includes(`${rows - (rows % 2)} 80`); ) {
      const [chunk] = await once(terminal.stream, 'data');
      screen += String(chunk);
      assert.doesNotMatch(screen, new RegExp(`\\b${rows - (rows % 2) - 1} 80`));
    }
  }
  await platform.images.shells.discard(id);
});

test('a terminal that closes while it is joined is not attached afterwards', async () => {
  const { id, typist } = await enter(await copy('early'));
  const containers = await containersOf(platform);
  await leave(typist.terminal);
  for (let wait = 0; wait < 40; wait += 4) {
    await leave(await platform.images.shells.attach(id, size));
    const { process: shell } = (await containers.inspect(shellContainerName(id))) ?? {};
    const joining = platform.images.shells.attach(id, size);
    await delay(wait);
    // Undefined where the shell that was killed before is still ending.
    if (shell) await attempt(['kill', '-KILL', String(shell)]);
    // It is the old shell's, which closes by itself, or one that was started again.
    const joined = await joining.catch(() => undefined);
    if (joined) await leave(joined);
    assert.equal((await platform.images.shells.get(id)).attached, false);
  }
  await platform.images.shells.discard(id);
});

async function leave({ stream }: Terminal): Promise<void> {
  if (stream.closed) return;
  stream.destroy();
  await once(stream, 'close');
}

test('a session that cannot be opened leaves neither container nor row', async () => {
  const { id, typist } = await enter(await copy('unopened'));
  // podman is asked about these programs after the container was made, and finds links that go in circles.
  await typist.type('echo >/bin/walt-image-shell-start; chmod 755 /bin/walt-image-shell-start');
  await typist.type('busybox ln -s walt-image-shell-shutdown /bin/walt-image-shell-shutdown');
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'unopened' }));
  const containers = await containersOf(platform);
  const before = [...(await containers.list()).keys()];
  await assert.rejects(platform.images.shells.open('ann', saved.image));
  assert.deepEqual([...(await containers.list()).keys()], before);
  assert.deepEqual(
    (await platform.images.shells.list()).filter(({ image }) => image === 'ann/unopened'),
    [],
  );
});

test('a shell that was left is started again in the same container', async () => {
  const { id, typist } = await enter(await copy('left'));
  await typist.type('echo 1 > /root/kept');
  await typist.exit();
  assert.equal((await platform.images.shells.get(id)).state, 'exited');
  const again = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await again.type('cat /root/kept'), /^1\r\n/m);
  await platform.images.shells.discard(id);
});

test('a save ends a shell that still runs', async () => {
  const { id, typist } = await enter(await copy('running'));
  await typist.type('echo 1 > /root/kept');
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'running' }));
  assert.equal(saved.changed, true);
  assert.equal(typeof (await typist.terminal.exited), 'number');
});

test('sessions survive the server', async () => {
  const { id, typist } = await enter(await copy('survives'));
  await typist.type('echo 1 > /root/kept');
  await closePlatform(platform);
  await reopenPlatform(platform);
  assert.equal((await platform.images.shells.get(id)).state, 'running');
  const again = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await again.type('cat /root/kept'), /^1\r\n/m);
  await platform.images.shells.discard(id);
});

test('one session per user and image', async () => {
  const image = await copy('single');
  const { id } = await platform.images.shells.open('ann', image);
  await assert.rejects(platform.images.shells.open('ann', image), { code: 'CONFLICT' });
  const other = await platform.images.shells.open('bob', image);
  await platform.images.shells.discard(id);
  await platform.images.shells.discard(other.id);
  const left = await platform.images.shells.list();
  assert.equal(
    left.some((session) => session.image === 'ann/single'),
    false,
  );
});

test('an image that was changed meanwhile is not overwritten; the session is kept', async () => {
  const image = await copy('moved');
  const { id, typist } = await enter(image);
  await typist.type('echo 1 > /root/kept');
  const other = await platform.images.shells.open('bob', image);
  const bob = new Typist(await platform.images.shells.attach(other.id, size));
  await bob.type('echo bob > /root/first');
  const bobs = await result(platform.images.shells.save('bob', other.id, { owner: 'ann', name: 'moved' }));
  await assert.rejects(result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'moved' })), {
    code: 'CONFLICT',
  });
  assert.equal((await platform.images.get('ann', 'moved')).digest, bobs.image.digest);
  await assert.rejects(
    result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'tiny' }, 'absent')),
    { code: 'CONFLICT' },
    'a name that came meanwhile',
  );
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'moved-ann' }));
  assert.equal(saved.image.name, 'moved-ann');
});

test('an image without a shell says so', async () => {
  const { id } = await enter(await copy('shell-less')).then(async ({ id, typist }) => {
    await typist.type('rm /bin/sh');
    return { id };
  });
  const { image } = await result(
    platform.images.shells.save('ann', id, { owner: 'ann', name: 'shell-less' }),
  );
  const session = await platform.images.shells.open('ann', image);
  await assert.rejects(platform.images.shells.attach(session.id, size), (error) => {
    assert.ok(isUserError(error), String(error));
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /ann\/shell-less.*no shell/);
    return true;
  });
  await platform.images.shells.discard(session.id);
});
