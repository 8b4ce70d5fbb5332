import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from '@walt/client/connection';
import { loopbackNet } from '../../../server/test/network.ts';
import { startServer, type TestServer } from '../../../server/test/server.ts';
import { serveSsh } from '../../test/node-ssh.ts';
import { openDoor } from './door.ts';
import { sshFiles } from './files.ts';

let server: TestServer;
let sshd: AsyncDisposable | undefined;
before(async () => {
  server = await startServer({ subnet: loopbackNet() });
  // Of the user who runs this.
  process.env.XDG_CACHE_HOME = server.folder;
  process.env.WALT_SOCKET = server.socket;
  await mkdir(dirname(sshFiles().config), { recursive: true });
  await server.addImage('alice/debian');
  await server.addNode('vnode1');
  sshd = await serveSsh(server, 'vnode1');
});
after(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** What ssh is told. */
async function wayOf(config: string): Promise<{ port: number; from: string }> {
  const words = new Map(
    (await readFile(config, 'utf8')).split('\n').map((line) => line.split(' ') as [string, string]),
  );
  return { port: Number(words.get('Port')), from: words.get('BindAddress') ?? '' };
}

/** The first words that come through the door; empty: it is shut. */
async function knock(port: number, localAddress: string): Promise<string> {
  const socket = dial({ host: '127.0.0.1', port, localAddress });
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('error', () => {});
  socket.once('data', (bytes) => resolve(bytes.toString()));
  socket.once('close', () => resolve(''));
  return await promise.finally(() => socket.destroy());
}

const withDoor = () => {
  const told: string[] = [];
  return openDoor(connect(), 'vnode1', (sentence) => told.push(sentence)).then((door) => ({ door, told }));
};

test('a door opens for who comes from where its file tells, once', async () => {
  const { door, told } = await withDoor();
  const { port, from } = await wayOf(door.config);
  assert.equal((await stat(door.config)).mode & 0o777, 0o600);
  assert.equal(await knock(port, '127.0.0.1'), '');
  assert.match(await knock(port, from), /^SSH-2\.0-/);
  assert.equal(await knock(port, from), '');
  await door[Symbol.asyncDispose]();
  await assert.rejects(stat(door.config));
  assert.deepEqual(told, []);
});

test('whoever tries again and again shuts it, which is told', async () => {
  const { door, told } = await withDoor();
  const { port, from } = await wayOf(door.config);
  for (let tries = 0; tries < 64; tries += 1) assert.equal(await knock(port, '127.0.0.1'), '');
  assert.equal(await knock(port, from), '');
  assert.match(told.join(), /somebody else/);
  await door[Symbol.asyncDispose]();
});
