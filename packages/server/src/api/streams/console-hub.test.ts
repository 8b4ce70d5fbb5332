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
  let older: string;
  let qemu: Socket[];

  beforeEach(async () => {
    qemu = [];
    ({ socket, log, older } = (await api.node('vnode1')).console);
    await mkdir(dirname(log), { recursive: true });
    await writeFile(log, `${'x'.repeat(100_000)}the last words\n`);
  });

  const open = () => openStream(api, '/stream/console?node=vnode1', alice);

  test('shows what was printed since the machine was switched on, then what comes', async () => {
    const boot = (number: number) =>
      `\x1b[2JSeaBIOS (version ${number})\niPXE initialising devices...ok\nlogin ${number}\n`;
    await writeFile(log, `${boot(1)}${boot(2)}${'x'.repeat(100_000)}the last words\n`);
    await api.serve(socket, (connection) => qemu.push(connection));
    const viewer = await open();
    await viewer.until('the last words');
    assert.match(viewer.received(), /^SeaBIOS \(version 2\)\niPXE/);
    qemu[0]?.write('login: ');
    await viewer.until('login: ');
  });

  test('shows no more than 256 KiB of it, of which the older part may be in a file of its own', async () => {
    await writeFile(older, `${'o'.repeat(300_000)}|`);
    await api.serve(socket, (connection) => qemu.push(connection));
    const viewer = await open();
    await viewer.until('the last words');
    assert.equal(viewer.received().length, 256 * 1024);
    assert.match(viewer.received(), /^o+\|x{100000}the last words\n$/);
    // More than that is printed while somebody watches: who comes later sees its end.
    for (let number = 0; number < 100; number += 1) qemu[0]?.write(`${'y'.repeat(9_999)}${number}\n`);
    await viewer.until('y99\n');
    const second = await open();
    await second.until('y99\n');
    assert.equal(second.received().length, 256 * 1024);
  });

  test('is shared: one connection, all see the same; one types, and another one may take over', async () => {
    let typed = '';
    await api.serve(socket, (connection) => {
      qemu.push(connection);
      connection.on('data', (data) => {
        typed += data;
        connection.write(data);
      });
    });
    const writes = (user: string | null, you = false) => ({ type: 'writer', user, you });
    const first = await open();
    await first.until('the last words');
    await first.untilFrame(writes(null));
    qemu[0]?.write('[booting]');
    await first.until('[booting]');
    const second = await openStream(api, '/stream/console?node=vnode1', await api.token('root'));
    await second.until('the last words\n[booting]');
    second.socket.send(Buffer.from('root'));
    await Promise.all([first.until('root'), second.until('root')]);
    await Promise.all([first.untilFrame(writes('root')), second.untilFrame(writes('root', true))]);
    // What the other one types is for nobody, until he takes over.
    first.socket.send(Buffer.from('rm -rf /'));
    first.socket.send('{"type":"nonsense"}');
    first.socket.send('{"type":"take"}');
    first.socket.send(Buffer.from('-pw'));
    await Promise.all([first.until('root-pw'), second.until('root-pw')]);
    await Promise.all([first.untilFrame(writes('alice', true)), second.untilFrame(writes('alice'))]);
    assert.equal(typed, 'root-pw');
    assert.equal(qemu.length, 1);
    const third = await open();
    await third.untilFrame(writes('alice'));
    third.socket.close();
    await third.ended;

    // One leaves: the other goes on. Both gone: QEMU's socket is free again.
    first.socket.close();
    await first.ended;
    qemu[0]?.write('still here');
    await second.until('still here');
    await second.untilFrame(writes(null));
    const hungUp = once(qemu[0] as Socket, 'end');
    second.socket.close();
    await hungUp;
    const fourth = await open();
    await fourth.until('the last words');
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
