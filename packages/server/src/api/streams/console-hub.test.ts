import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { booted, errorFrame, handOver, openApi, openStream } from '../../../test/api.ts';

const api = await openApi();
let alice: string;

beforeEach(async () => {
  alice = await api.token('alice');
});

describe('the console of a virtual node', () => {
  let socket: string;
  let log: string;
  let qemu: Socket[];

  beforeEach(async () => {
    qemu = [];
    ({ socket, log } = (await api.node('vnode1')).console);
    await mkdir(dirname(log), { recursive: true });
    await writeFile(log, `${'x'.repeat(100_000)}the last words\n`);
  });

  const open = () => openStream(api, '/stream/console?node=vnode1', alice);

  test('shows the end of what was printed, then what comes', async () => {
    await api.serve(socket, (connection) => qemu.push(connection));
    const viewer = await open();
    await viewer.until('the last words');
    assert.equal(viewer.received().length, 16 * 1024);
    qemu[0]?.write('login: ');
    await viewer.until('login: ');
  });

  test('is shared: one connection, all see the same, all may type', async () => {
    let typed = '';
    await api.serve(socket, (connection) => {
      qemu.push(connection);
      connection.on('data', (data) => {
        typed += data;
        connection.write(data);
      });
    });
    const first = await open();
    await first.until('the last words');
    qemu[0]?.write('[booting]');
    await first.until('[booting]');
    const second = await open();
    await second.until('the last words\n[booting]');
    second.socket.send(Buffer.from('root'));
    await Promise.all([first.until('root'), second.until('root')]);
    first.socket.send(Buffer.from('-pw'));
    await Promise.all([first.until('root-pw'), second.until('root-pw')]);
    assert.equal(typed, 'root-pw');
    assert.equal(qemu.length, 1);

    // One leaves: the other goes on. Both gone: QEMU's socket is free again.
    first.socket.close();
    await first.ended;
    qemu[0]?.write('still here');
    await second.until('still here');
    const hungUp = once(qemu[0] as Socket, 'end');
    second.socket.close();
    await hungUp;
    const third = await open();
    await third.until('the last words');
    assert.equal(qemu.length, 2);
  });

  test('goes on over a reboot, which is a new QEMU', async () => {
    await api.serve(socket, (connection) => qemu.push(connection));
    const viewer = await open();
    await viewer.until('the last words');
    await rm(socket);
    qemu[0]?.destroy();
    // Printed before anybody could be connected again.
    await appendFile(log, 'SeaBIOS\n');
    await api.serve(socket, (connection) => {
      qemu.push(connection);
      connection.on('data', (data) => connection.write(`[${data}]`));
    });
    await viewer.until('the last words\nSeaBIOS\n');
    viewer.socket.send(Buffer.from('root'));
    await viewer.until('[root]');
    assert.equal(viewer.received().match(/SeaBIOS/g)?.length, 1);
  });

  test('tells when the node stays off', async () => {
    await api.serve(socket, (connection) => qemu.push(connection));
    const viewer = await open();
    await viewer.until('the last words');
    await rm(socket);
    qemu[0]?.destroy();
    errorFrame('UNAVAILABLE', /console of node vnode1 ended/)(await viewer.ended);
  });

  test('that nobody serves is an error', async () => {
    errorFrame('UNAVAILABLE', /console of node vnode1 does not answer/)(await (await open()).ended);
  });

  test('works before anything was printed', async () => {
    const second = await api.node('vnode2');
    await api.serve(second.console.socket, (connection) => connection.write('first'));
    await (await openStream(api, '/stream/console?node=vnode2', alice)).until('first');
  });

  test('is for who may enter the node', async () => {
    const stream = await openStream(api, '/stream/console?node=vnode1', await api.token('bob'));
    errorFrame('FORBIDDEN', /belongs to alice/)(await stream.ended);
  });

  test('leaves who loses the node, and shows the next owner nothing of what it printed for the last', async () => {
    let typed = '';
    const { promise: received, resolve } = Promise.withResolvers<void>();
    await api.serve(socket, (connection) => {
      qemu.push(connection);
      connection.on('data', (data) => {
        typed += data;
        resolve();
      });
    });
    const first = await open();
    await first.until('the last words');
    // Root keeps the line open.
    const root = await openStream(api, '/stream/console?node=vnode1', await api.token('root'));
    await root.until('the last words');
    qemu[0]?.write('secret of alice');
    await Promise.all([first.until('secret of alice'), root.until('secret of alice')]);
    await handOver(api, 'vnode1');
    first.socket.send(Buffer.from('rm -rf /'));
    errorFrame('FORBIDDEN', /vnode1 belongs to bob/)(await first.ended);
    await booted(api, 'vnode1');
    const next = await openStream(api, '/stream/console?node=vnode1', await api.token('bob'));
    // What he types arrives once he sees what is printed.
    next.socket.send(Buffer.from('\r'));
    await received;
    qemu[0]?.write('login: ');
    await Promise.all([next.until('login: '), root.until('login: ')]);
    assert.equal(next.received(), 'login: ');
    assert.ok(!first.received().includes('login: '));
    assert.equal(typed, '\r');
    next.socket.terminate();
    root.socket.terminate();
  });
});
