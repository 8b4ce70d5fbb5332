import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LOCAL, Origins, remoteAddress, UNKNOWN } from './origin.ts';

const head =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, remote: string, state: string, inode: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 02:000A6E8B 00000000     0        0 ${inode} 2 0000000000000000 20 4 30 10 -1`;
const V4 = row('010200C0:0016', '020200C0:D431', '01', 4711);
const V6 = row('00000000000000000000000001000000:0016', 'B80D0120000000000000000002000000:D431', '01', 4712);
const MAPPED = row(
  '0000000000000000FFFF00000102000A:0016',
  '0000000000000000FFFF00000202000A:D431',
  '01',
  4713,
);

const tables: [what: string, rows: string[], inode: string, address: string | undefined][] = [
  ['IPv4', [V4], '4711', '192.0.2.2'],
  ['IPv6', [V4, V6], '4712', '2001:db8::2'],
  ['IPv4 in a socket of IPv6', [MAPPED], '4713', '10.0.2.2'],
  ['a socket that is not in the table', [V4], '4712', undefined],
  ['one that only listens', [row('00000000:0016', '00000000:0000', '0A', 4711)], '4711', undefined],
  ['no table', [], '4711', undefined],
  ['half a row', [V4.slice(0, 30)], '4711', undefined],
];
for (const [what, rows, inode, address] of tables) {
  test(`the other end of a connection: ${what}`, () => {
    assert.equal(remoteAddress([head, ...rows, ''].join('\n'), new Set(['1', inode])), address);
  });
}

describe('from where a connection comes', () => {
  const origins = new Origins({ info() {}, warn() {}, error() {} });
  const server = createServer();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-origin-'));
    await chmod(folder, 0o755);
    server.listen(join(folder, 'sock'));
    await once(server, 'listening');
    await chmod(join(folder, 'sock'), 0o666);
  });
  after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  /** Of a program that connects, and stays until its input ends. */
  async function connected(
    use: (socket: Socket, end: () => Promise<void>) => Promise<void>,
    ...as: string[]
  ) {
    const line =
      'use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print "in\\n"; <STDIN>';
    const argv = [...as, 'perl', '-e', line, join(folder, 'sock')];
    const program = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'ignore', 'inherit'] });
    const ended = once(program, 'exit');
    const end = async () => {
      program.stdin.end();
      await ended;
    };
    const [socket]: Socket[] = await once(server, 'connection');
    assert.ok(socket);
    socket.on('error', () => {});
    try {
      await use(socket, end);
    } finally {
      await end();
      socket.destroy();
    }
  }

  test('a program of this machine, of its user', async () => {
    const uid = 5;
    await connected(
      async (socket) => {
        const origin = await origins.of(socket, uid);
        // Whoever runs this test may be in an SSH session.
        assert.doesNotMatch(origin, /unknown|user id/);
      },
      ...['setpriv', '--reuid=5', '--clear-groups', '--'],
    );
  });

  test('one of another user is told', async () => {
    await connected(
      async (socket) => assert.match(await origins.of(socket, 1000), / as user id 5$/),
      ...['setpriv', '--reuid=5', '--clear-groups', '--'],
    );
  });

  test('one that has ended', async () => {
    await connected(async (socket, end) => {
      await end();
      assert.equal(await origins.of(socket, 0), UNKNOWN);
    });
  });

  test('one that is closed', async () => {
    await connected(async (socket) => {
      socket.destroy();
      assert.equal(await origins.of(socket, 0), UNKNOWN);
    });
  });

  test('where Node.js has no node:ffi, nobody knows, which is told', async (t) => {
    const warn = t.mock.fn();
    t.mock.method(process, 'getBuiltinModule', () => undefined);
    await connected(async (socket) => {
      assert.equal(await new Origins({ info() {}, warn, error() {} }).of(socket, 0), UNKNOWN);
    });
    assert.equal(warn.mock.callCount(), 1);
  });

  test('a user who runs a program that is called sshd is not believed', async () => {
    // Its parents are those of this test, as of the one that is not called so.
    let plain = LOCAL;
    await connected(async (socket) => {
      plain = await origins.of(socket, 0);
    });
    const copy = join(folder, 'sshd');
    await copyFile('/bin/sh', copy);
    await connected(
      async (socket) => assert.equal(await origins.of(socket, 5), plain),
      ...['setpriv', '--reuid=5', '--clear-groups', '--', copy, '-c', '"$@"; true', 'sshd'],
    );
  });
});
