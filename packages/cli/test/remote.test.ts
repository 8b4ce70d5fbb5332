/** `walt` on a laptop and the server elsewhere, with real ssh and sshd between them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { toolchainTarPath } from '../../server/src/images/cross/toolchain.ts';
import { loopbackNet } from '../../server/test/network.ts';
import { tinyRoot } from '../../server/test/platform.ts';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';
import { LAPTOP_ADDRESS, Lab, SERVER_ADDRESS, signIn, USERS } from './lab.ts';
import { serveSsh } from './node-ssh.ts';

const { server, checkout } = await openClient({ signIn, subnet: loopbackNet() });
const { images } = server.platform;
let lab: Lab;
let node: AsyncDisposable | undefined;
const debian = await server.addTree('alice/debian');
before(async () => {
  lab = await Lab.open(server, checkout);
  // Of compilers for other CPUs, a shell is enough here.
  const { folder, deps } = server.platform;
  mkdirSync(deps.config.cache, { recursive: true });
  await cp(await tinyRoot(folder), await toolchainTarPath('amd64', deps.config.cache));
  await server.addNode('vnode1');
  node = await serveSsh(server, 'vnode1');
});
after(async () => {
  await node?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

const ALICE = `ssh://alice@${SERVER_ADDRESS}`;
/** Of an SSH server that forwards nothing, as hardened ones. */
const HARDENED = `${ALICE}:2200`;

describe('a call', () => {
  test('is made by whom the login is there, and the second one starts no program', async () => {
    const env = lab.env(ALICE);
    const first = await lab.run(['node', 'show', '--json'], { env });
    assert.deepEqual([first.status, first.stderr], [0, '']);
    assert.equal(JSON.parse(first.stdout)[0].name, 'vnode1');
    const second = await lab.run(['node', 'show', '--json'], { env: { ...env, PATH: '/nowhere' } });
    assert.deepEqual(second, first);
    const bob = await lab.run(['node', 'show', '--names-only'], {
      env: lab.env(`ssh://bob@${SERVER_ADDRESS}`),
    });
    assert.deepEqual([bob.status, bob.stdout], [0, '']);
  });

  test('uses what ~/.ssh/config says of a host: its name, a jump, nothing that is for shells', async () => {
    const planted = join(lab.home, 'planted');
    const config = [
      `Host inner\n  HostName 127.0.0.1\n  User alice\n  ProxyJump alice@${SERVER_ADDRESS}`,
      `  RequestTTY force\n  RemoteCommand echo hello\n  LocalForward 127.0.0.1:4242 127.0.0.1:22\n  ForwardAgent yes`,
      `  PermitLocalCommand yes\n  LocalCommand touch ${planted}`,
    ];
    writeFileSync(join(lab.home, '.ssh/config'), config.join('\n'));
    const { status, stdout, stderr } = await lab.run(['node', 'show', '--names-only'], {
      env: lab.env('ssh://inner'),
    });
    assert.deepEqual([status, stdout, stderr], [0, 'vnode1\n', '']);
    assert.ok(!readdirSync(lab.home).includes('planted'));
    rmSync(join(lab.home, '.ssh/config'));
  });

  test('is made by many at once, of one user and of many', async () => {
    const users = Array.from({ length: 12 }, (_, index) => lab.env(ALICE, `many-${index % 3}`));
    const ended = await Promise.all(
      users.map((env) =>
        lab.run(['node', 'show', '--names-only'], {
          env: { ...env, XDG_CACHE_HOME: `${env.XDG_RUNTIME_DIR}/cache` },
        }),
      ),
    );
    for (const { status, stdout, stderr } of ended)
      assert.deepEqual([status, stdout, stderr], [0, 'vnode1\n', '']);
  });

  test('renews what the server does not know any more', async () => {
    const env = lab.env(ALICE);
    await lab.run(['node', 'show'], { env });
    await server.forgetTokens();
    const { status, stderr } = await lab.run(['node', 'show'], { env });
    assert.deepEqual([status, stderr], [0, '']);
  });

  test('is completed, with live names and those of servers', async () => {
    const env = lab.env(undefined, 'completion');
    await lab.run(['server', 'add', 'lab', ALICE], { env });
    // Completion waits two seconds for ssh, which takes longer on a busy machine.
    await lab.run(['node', 'show'], { env });
    const complete = async (...words: string[]) =>
      (await lab.run(['complete', '--', ...words], { env })).stdout.split('\n').slice(0, -1);
    assert.deepEqual(await complete('node', 'shell', 'vn'), ['vnode1']);
    assert.deepEqual(await complete('--server', ''), ['lab', 'local']);
    assert.deepEqual(await complete('--server', 'lab', 'node', 'shell', 'v'), ['vnode1']);
    assert.deepEqual(await complete('server', 'use', 'l'), ['lab', 'local']);
    await lab.run(['server', 'remove', 'lab'], { env });
  });
});

/** Over a forwarded socket, and over a program for each connection. */
for (const [what, url] of [
  ['sshd that forwards', ALICE],
  ['sshd that forwards nothing', HARDENED],
] as const) {
  describe(`over an ${what}`, () => {
    let env: Record<string, string>;
    let folder: string;
    before(async () => {
      if (url === HARDENED) await lab.sshd(2200, ['DisableForwarding yes', 'MaxSessions 2']);
      env = lab.env(url);
      folder = join(lab.home, 'project');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
      writeFileSync(join(folder, 'file'), 'from the laptop\n');
    });
    beforeEach(async () => {
      const move = { user: 'alice', action: 'import' } as const;
      await server.catalogue.point(debian, debian, 'any', move);
    });

    test('calls, and streams in both directions', async () => {
      const shown = await lab.run(['node', 'show', '--names-only'], { env });
      assert.deepEqual([shown.status, shown.stdout, shown.stderr], [0, 'vnode1\n', '']);
      const input = Buffer.alloc(300_000, 'bytes \r\n').toString();
      const { status, stdout, stderr } = await lab.run(
        ['image', 'run', 'debian', '--', 'sh', '-c', 'cat; exit 3'],
        {
          env,
          input,
        },
      );
      assert.equal(status, 3, stderr);
      assert.ok(stdout === input);
    });

    test('what was done is told with the address of the laptop', async () => {
      server.audited.length = 0;
      const copied = await lab.run(['image', 'duplicate', 'debian', 'copy', '--yes'], { env });
      assert.equal(copied.status, 0, copied.stderr);
      // Not what the laptop says: a header of his, or a variable, would change nothing.
      assert.deepEqual(server.audited, [
        `alice image.duplicate image="debian" newName="copy" from="${LAPTOP_ADDRESS}" result="done"`,
      ]);
    });

    test('the console of a node, both ways', async () => {
      const { id } = await server.nodes.lookup.find('vnode1');
      const port = createServer((socket) => {
        socket.write('login: ');
        socket.on('data', (typed) => socket.write(`[${typed}]`));
      });
      port.listen(server.nodes.machines.consolePath(id));
      await once(port, 'listening');
      try {
        using pty = lab.terminal(['node', 'console', 'vnode1'], env);
        await pty.expect(/login: /);
        pty.type('x');
        await pty.expect(/\[x\]/);
        pty.type('\x01d');
        await pty.expect(/Left the console of vnode1/);
        assert.equal(await pty.exited, 0);
      } finally {
        port.close();
      }
    });

    test('a port of a node on the laptop', async () => {
      const { ip } = await server.nodes.lookup.find('vnode1');
      const service = createServer((socket) => socket.pipe(socket)).listen(0, ip);
      await once(service, 'listening');
      const { port } = service.address() as AddressInfo;
      const exposing = lab.start([checkout.walt, 'node', 'expose', 'vnode1', `${port}:0`, '--json'], { env });
      try {
        let told = '';
        for await (const data of exposing.stdout ?? []) {
          told += data;
          if (told.endsWith(']\n')) break;
        }
        const [{ localPort }] = JSON.parse(told);
        const line = 'exec 3<>/dev/tcp/127.0.0.1/$0; echo to the node >&3; read -r back <&3; echo "$back"';
        const client = lab.start(['bash', '-c', line, String(localPort)]);
        assert.equal((await client.stdout?.toArray())?.join(''), 'to the node\n');
      } finally {
        exposing.kill('SIGKILL');
        await once(exposing, 'close');
        service.close();
      }
    });

    test('several at the same time', async () => {
      const ended = await Promise.all(
        Array.from({ length: 4 }, () => lab.run(['node', 'show', '--names-only'], { env })),
      );
      for (const { stdout, stderr } of ended) assert.deepEqual([stdout, stderr], ['vnode1\n', '']);
    });

    test('a shell of an image: size, ctrl-c, questions', async () => {
      using pty = lab.terminal(['image', 'shell', 'debian'], env);
      const { tty } = await pty.identity();
      await pty.expect(/:~# /);
      pty.type('stty size\r');
      await pty.expect(/\n30 90\r/);
      pty.resize(tty, 101, 37);
      pty.type('until stty size | grep "^37 101$"; do sleep 0.1; done; echo told\r');
      await pty.expect(/37 101\s+told/);
      // One process says that it runs and then sleeps: between two, ctrl-c could reach the shell.
      pty.type(`sh -c 'echo started; exec sleep 1000'\r`);
      await pty.expect(/[\r\n]started/);
      pty.type('\x03');
      await pty.expect(/:~# /);
      pty.type('echo x >/etc/new; exit\r');
      await pty.expect(/New image name \[debian\]: /);
      pty.type(`shell-${url === HARDENED ? 2 : 1}\r`);
      await pty.expect(/is saved/);
      assert.equal(await pty.exited, 0, pty.output);
    });

    test('image build and cp take what is on the laptop, and bring it there', async () => {
      const built = await lab.run(['image', 'build', 'built', '--from-dir', folder, '--yes'], { env });
      assert.equal(built.status, 0, built.stderr);
      const made = await images.get('alice', 'built');
      assert.equal(await images.kindOfFile(made, '/file'), 'file');
      const copied = await lab.run(['image', 'cp', 'built:/file', join(folder, 'back')], { env });
      assert.equal(copied.status, 0, copied.stderr);
      assert.equal(readFileSync(join(folder, 'back'), 'utf8'), 'from the laptop\n');
      const sent = await lab.run(['image', 'cp', join(folder, 'back'), 'built:/sent'], { env });
      assert.equal(sent.status, 0, sent.stderr);
      assert.equal(await images.kindOfFile(await images.get('alice', 'built'), '/sent'), 'file');
      rmSync(join(folder, 'back'));
    });

    test('image cross takes the folder on the laptop, brings back what it made there, and saves the rest', async () => {
      const sources = join(lab.home, `sources-${url === HARDENED ? 2 : 1}`);
      mkdirSync(sources);
      writeFileSync(join(sources, 'main.c'), 'from the laptop\n');
      writeFileSync(join(sources, 'stale'), '');
      const line =
        'cat main.c; rm stale; cp main.c made; mkdir -p /usr/local/bin; cp main.c /usr/local/bin/tool';
      const child = lab.start(
        ['sh', '-c', 'cd "$1"; shift; exec "$@"', 'sh', sources, checkout.walt].concat([
          'image',
          'cross',
          '--save-as',
          'crossed',
          '--yes',
          'debian',
          '--',
          line,
        ]),
        { env },
      );
      const { status, stdout, stderr } = await outcome(child);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, 'from the laptop\n');
      assert.deepEqual(readdirSync(sources).sort(), ['made', 'main.c']);
      assert.equal(readFileSync(join(sources, 'made'), 'utf8'), 'from the laptop\n');
      const crossed = await images.get('alice', 'crossed');
      assert.equal(await images.kindOfFile(crossed, '/usr/local/bin/tool'), 'file');
    });

    test('a node: its shell, its copies, and the user’s own ssh', async () => {
      const ran = await lab.run(['node', 'run', 'vnode1', 'cat; exit 4'], { env, input: 'piped' });
      assert.deepEqual([ran.status, ran.stdout], [4, 'piped'], ran.stderr);
      using pty = lab.terminal(['node', 'shell', 'vnode1'], env);
      const { tty } = await pty.identity();
      pty.resize(tty, 101, 37);
      pty.type('until stty size | grep "^37 101$"; do sleep 0.1; done; echo told\r');
      await pty.expect(/37 101\s+told/);
      pty.type(`sh -c 'echo started; exec sleep 1000'\r`);
      await pty.expect(/[\r\n]started/);
      pty.type('\x03');
      await pty.expect(/# /);
      pty.type('exit 5\r');
      assert.equal(await pty.exited, 5);
      const there = join(lab.folder, 'on-node');
      const copied = await lab.run(['node', 'cp', join(folder, 'file'), `vnode1:${there}`], { env });
      assert.equal(copied.status, 0, copied.stderr);
      assert.equal(readFileSync(there, 'utf8'), 'from the laptop\n');
      rmSync(there);
      const { stdout } = await lab.run(['ssh-config'], { env });
      writeFileSync(join(lab.home, '.ssh/walt.conf'), stdout);
      // Without the variable: the settings name the server.
      const own = lab.start(['ssh', '-F', join(lab.home, '.ssh/walt.conf'), 'vnode1', 'echo', 'hello'], {
        env: lab.env(undefined),
      });
      const text = (await own.stdout?.toArray())?.join('');
      assert.equal(text, 'hello\n');
    });
  });
}

describe('a connection that breaks', () => {
  test('leaves what a killed client leaves: a shell that waits, and goes on', async () => {
    const env = lab.env(ALICE, 'breaking');
    using pty = lab.terminal(['image', 'shell', 'debian'], env);
    await pty.expect(/:~# /);
    pty.type('echo kept >/etc/kept\r');
    await pty.expect(/:~# /);
    await endMasters();
    assert.notEqual(await pty.exited, 0);
    assert.match(pty.output, /was lost/);
    using again = lab.terminal(['image', 'shell', 'debian'], env);
    await again.expect(/\[r\]esume/);
    again.type('r\r');
    await again.expect(/:~# /);
    again.type('cat /etc/kept\r');
    await again.expect(/\nkept/);
    again.type('exit\r');
    await again.expect(/New image name/);
    again.type('\x04');
    await again.exited;
    for (const { id } of await images.shells.list()) await images.shells.discard(id);
  });

  test('ends a call with a sentence, and the next one connects anew', async () => {
    const env = lab.env(ALICE, 'breaking');
    const release = server.machines.hold();
    await server.addNode('vnode9');
    const waiting = lab.start([checkout.walt, 'node', 'wait', 'vnode9'], { env });
    await once(waiting.stderr as NodeJS.ReadableStream, 'data');
    const ended = Promise.all([waiting.stderr?.toArray(), once(waiting, 'exit')]);
    await endMasters();
    const [said, [status]] = await ended;
    assert.equal(status, 1);
    assert.match(said?.join('') ?? '', /walt: The connection to the WalT server .*was lost\.\n {2}→ /);
    release();
    assert.equal((await lab.run(['node', 'wait', 'vnode9'], { env })).status, 0);
    await server.services.calls.node.remove(
      { uid: USERS.alice ?? 0, user: 'alice', role: 'member' as const },
      { set: 'vnode9', yes: true },
      AbortSignal.timeout(120_000),
    );
  });

  /** As when the network goes: ssh's master ends without a word. */
  async function endMasters(): Promise<void> {
    const masters = lab.laptopPrograms().filter(({ name }) => name === 'ssh');
    assert.ok(masters.length > 0);
    for (const { pid } of masters) process.kill(pid, 'SIGKILL');
  }
});

describe('what is refused', () => {
  const shown = (url: string, runtime = 'refused') =>
    lab.run(['node', 'show'], {
      env: { ...lab.env(url, runtime), XDG_CACHE_HOME: join(lab.home, 'no-tokens') },
    });
  beforeEach(() => rmSync(join(lab.home, 'no-tokens'), { recursive: true, force: true }));

  test('a host whose key nobody knows: ssh says so, and nothing is noted', async () => {
    writeFileSync(join(lab.home, '.ssh/known_hosts'), '');
    const { status, stderr } = await shown(ALICE);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^walt: ssh did not get to ssh:\/\/alice@192\.0\.2\.1\.\nHost key verification failed\.\n {2}→ Log in once/,
    );
    assert.equal(readFileSync(join(lab.home, '.ssh/known_hosts'), 'utf8'), '');
    using pty = lab.terminal(['node', 'show'], {
      ...lab.env(ALICE, 'asked'),
      XDG_CACHE_HOME: join(lab.home, 'no-tokens'),
    });
    await pty.expect(/The authenticity of host .* can't be established/);
    await pty.expect(/\(yes\/no/);
    pty.type('yes\r');
    await pty.expect(/vnode1/);
    assert.equal(await pty.exited, 0);
    assert.match(readFileSync(join(lab.home, '.ssh/known_hosts'), 'utf8'), /ssh-ed25519/);
  });

  test('a host with another key than it had', async () => {
    lab.knowHost(readFileSync(join(lab.home, '.ssh/id_ed25519.pub'), 'utf8'));
    const { status, stderr } = await shown(ALICE);
    assert.equal(status, 1);
    assert.match(stderr, /REMOTE HOST IDENTIFICATION HAS CHANGED[\s\S]*Host key verification failed/);
    lab.knowHost();
  });

  test('a login that is not let in', async () => {
    const { status, stderr } = await shown(`ssh://nobody@${SERVER_ADDRESS}`);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /ssh did not get to .*\n.*Permission denied \(publickey\)\.\n {2}→ See whether `ssh` alone/,
    );
  });

  test('a login whom the server does not know', async () => {
    const { status, stderr } = await shown(`ssh://stranger@${SERVER_ADDRESS}`);
    assert.equal(status, 1);
    assert.match(stderr, /On the machine of .*: User id 64003 has no login name on the server\./);
  });

  test('nobody at that address, or on that port', async () => {
    const { status, stderr } = await shown(`ssh://alice@${SERVER_ADDRESS}:9`);
    assert.equal(status, 1);
    assert.match(stderr, /ssh did not get to .*\n.*Connection refused/);
  });

  test('a host without walt; one whose walt is something else; one whose server is stopped', async () => {
    await lab.sshd(2201, ['SetEnv PATH=/usr/bin:/bin']);
    assert.match((await shown(`${ALICE}:2201`)).stderr, /There is no walt on the machine of .*\n.*not found/);
    const fake = join(lab.folder, 'fake');
    mkdirSync(fake);
    writeFileSync(join(fake, 'walt'), '#!/bin/sh\nprintf "walt-sign-in {}\\033]0;x\\007\\n"\n', {
      mode: 0o755,
    });
    await lab.sshd(2202, [`SetEnv PATH=${fake}:/usr/bin:/bin`]);
    assert.match((await shown(`${ALICE}:2202`)).stderr, /What your login at .* runs is no walt/);
    const steering = '#!/bin/sh\nprintf "\\033]0;x\\007 go away\\n" >&2; exit 1\n';
    writeFileSync(join(fake, 'walt'), steering, { mode: 0o755 });
    const { stderr } = await shown(`${ALICE}:2202`);
    assert.match(stderr, /is no walt: it ended with status 1\.\n\\x1b\]0;x\\x07 go away\n/);
    await lab.sshd(2203, [
      `SetEnv PATH=${join(lab.folder, 'walt')}:/usr/bin:/bin WALT_SOCKET=/run/none/walt.sock`,
    ]);
    const stopped = await shown(`${ALICE}:2203`);
    assert.match(
      stopped.stderr,
      /^walt: On the machine of .*: Cannot reach the WalT server at \/run\/none\/walt\.sock\.\n {2}→ Start it/,
    );
  });

  test('completion asks nothing where ssh would ask', async () => {
    writeFileSync(join(lab.home, '.ssh/known_hosts'), '');
    using pty = lab.terminal(['complete', '--', 'node', 'shell', ''], lab.env(ALICE, 'silent'));
    assert.equal(await pty.exited, 1);
    assert.doesNotMatch(pty.output, /authenticity/);
    lab.knowHost();
  });
});

describe('a laptop without a server', () => {
  test('says without a terminal how to name one, and asks on one', async () => {
    const env = lab.env(undefined, 'first');
    const silent = await lab.run(['node', 'show'], { env });
    assert.equal(silent.status, 1);
    assert.match(
      silent.stderr,
      /There is no WalT server on this machine.*\n {2}→ Name one: `walt server add/,
    );
    using pty = lab.terminal(['node', 'show', '--names-only'], env);
    await pty.expect(/Where is yours\?/);
    pty.type('ssh://-oProxyCommand=x\r');
    await pty.expect(/is no name or address/);
    pty.type(`alice@${SERVER_ADDRESS}\r`);
    await pty.expect(/It is called 192-0-2-1/);
    await pty.expect(/vnode1/);
    assert.equal(await pty.exited, 0);
    const listed = await lab.run(['server', 'list', '--json'], { env });
    assert.deepEqual(JSON.parse(listed.stdout), [
      { name: '192-0-2-1', place: ALICE, used: true },
      { name: 'local', place: '/run/walt/walt.sock', used: false },
    ]);
    assert.equal((await lab.run(['node', 'show', '--names-only'], { env })).stdout, 'vnode1\n');
    const removed = await lab.run(['server', 'remove', '192-0-2-1'], { env });
    assert.equal(removed.status, 0, removed.stderr);
    assert.deepEqual(
      readdirSync(join(lab.folder, 'first/walt')).filter((name) => !name.endsWith('.lock')),
      [],
    );
  });
});
