import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Typist } from '../../server/test/platform.ts';
import { openClient } from './client.ts';
import { Cut } from './cut.ts';

const { server, checkout } = await openClient();
const { images } = server.platform;
const { shells } = images;

/** Two files more, and one changed. */
const CHANGE = 'echo x >/etc/new; echo x >/srv-data; echo x >/etc/greeting';
const debian = await server.addTree('alice/debian');
const taken = await server.addTree('alice/taken', { file: 'x' });
const pi = await server.addTree('alice/pi', undefined, 'arm64');

beforeEach(async () => {
  await server.clear({ keepDigests: true });
  const move = { user: 'alice', action: 'import' } as const;
  for (const image of [debian, taken, pi]) await server.catalogue.point(image, image, 'any', move);
  await server.addNode('vnode1');
  server.calls.length = 0;
});

const callNames = () => server.calls.map(([name]) => name);
const inputOf = (wanted: string) => server.calls.find(([name]) => name === wanted)?.[1];

/** A session of alice on debian in which that was done; `running`: and whose shell goes on. */
async function waitingSession(state: 'running' | 'exited' = 'running', change = CHANGE) {
  const { id } = await shells.open('alice', debian);
  const typist = new Typist(await shells.attach(id, { columns: 80, rows: 24 }));
  await typist.type(change);
  if (state === 'exited') await typist.exit();
  else {
    typist.terminal.stream.destroy();
    await once(typist.terminal.stream, 'close');
  }
}

describe('on a terminal', () => {
  test('no change: nothing is asked, nothing is saved', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    await pty.expect(/:~# /);
    pty.type('exit\r');
    await pty.expect(/Nothing changed\./);
    assert.equal(await pty.exited, 0);
    assert.ok(!callNames().includes('image.shell.save'));
    assert.deepEqual(await shells.list(), []);
  });

  test('changes: summary, name, nodes, and their reboot', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    await pty.expect(/:~# /);
    pty.type(`${CHANGE}\r`);
    await pty.expect(/:~# /);
    pty.type('exit\r');
    await pty.expect(/You changed files: 2 added, 1 modified\./);
    await pty.expect(/A \/etc\/new/);
    await pty.expect(/vnode1 boots debian; what runs is not disturbed/);
    await pty.expect(/New image name \[debian\]: /);
    pty.type('\r');
    await pty.expect(/alice\/debian is saved \(sha256:\w{12}\)\./);
    await pty.expect(/vnode1 still runs the older version\. Reboot now\? \[y\/N\] /);
    pty.type('y\r');
    await pty.expect(/vnode1 reboots\./);
    assert.equal(await pty.exited, 0);
    assert.deepEqual(inputOf('node.reboot'), { set: 'vnode1', hard: false, yes: false });
  });

  test('another name; one that is not accepted is asked for again', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    await pty.expect(/:~# /);
    pty.type(`${CHANGE}\r`);
    await pty.expect(/:~# /);
    pty.type('exit\r');
    await pty.expect(/New image name/);
    pty.type('No Such Name\r');
    await pty.expect(/must be lower-case letters/);
    await pty.expect(/New image name/);
    pty.type('taken\r');
    await pty.expect(/You have an image taken already; it would be replaced\. .*\[y\/N\] /);
    pty.type('\r');
    await pty.expect(/New image name/);
    pty.type('other\r');
    await pty.expect(/alice\/other is saved/);
    assert.equal(await pty.exited, 0);
  });

  test('ctrl-d at the question keeps the session', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    await pty.expect(/:~# /);
    pty.type(`${CHANGE}\r`);
    await pty.expect(/:~# /);
    pty.type('exit\r');
    await pty.expect(/New image name/);
    pty.type('\x04');
    await pty.expect(/the session on debian waits/);
    assert.equal(await pty.exited, 1);
    assert.equal((await shells.list()).length, 1);
  });

  test('the size of the terminal goes to the shell, and follows', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    const { tty } = await pty.identity();
    await pty.expect(/:~# /);
    pty.type('stty size\r');
    await pty.expect(/\n30 90\r/);
    pty.resize(tty, 111, 22);
    pty.type('until stty size | grep "^22 111$"; do sleep 0.1; done; echo told\r');
    await pty.expect(/22 111\s+told/);
    pty.type('exit\r');
    assert.equal(await pty.exited, 0);
  });

  test('ctrl-c goes to the shell, not to walt', async () => {
    using pty = checkout.terminal(['image', 'shell', 'debian']);
    await pty.expect(/:~# /);
    // One process says that it runs and then sleeps: between two, ctrl-c could reach the shell.
    pty.type(`sh -c 'echo started; exec sleep 1000'\r`);
    await pty.expect(/[\r\n]started/);
    pty.type('\x03');
    await pty.expect(/:~# /);
    pty.type('exit 0\r');
    assert.equal(await pty.exited, 0);
  });

  test('an image for another CPU is announced as slow', async () => {
    using pty = checkout.terminal(['image', 'shell', 'pi']);
    await pty.expect(/pi is an arm64 image: its programs run under emulation, slowly\./);
    await pty.expect(/:~# /);
    pty.type('exit\r');
    assert.equal(await pty.exited, 0);
  });

  test('a lost connection leaves a usable terminal and tells how to go on', async () => {
    // A shell around it keeps the terminal when the client has gone.
    await using cut = await Cut.open(server.socket, join(server.folder, 'cut.sock'), Infinity, 0);
    using shell = checkout.shellTerminal();
    shell.type(`WALT_SOCKET=${cut.path} ${checkout.walt} image shell debian; echo status=$?\r`);
    await shell.expect(/:~# /);
    cut.cut();
    await shell.expect(
      /the session waits, with all its changes\.\s+→ `walt image shell debian` goes on with it\./,
    );
    assert.equal((await shell.expect(/status=(\d+)/))[1], '1');
    assert.ok(shell.output.includes('\x1b[?1049l'));
    shell.type('stty -a | grep -o ".icanon"\r');
    await shell.expect(/ icanon/);
    shell.type('exit\r');
    await shell.exited;
  });

  test('SIGTERM restores the terminal; the session waits', async () => {
    using shell = checkout.shellTerminal();
    const { tty } = await shell.identity();
    const settings = () =>
      execFileSync('stty', ['-F', tty, '-a'], { encoding: 'utf8' }).match(/-?icanon/)?.[0];
    shell.type(`${checkout.walt} image shell debian & echo pid=$!; fg\r`);
    const pid = Number((await shell.expect(/pid=(\d+)/))[1]);
    await shell.expect(/:~# /);
    assert.equal(settings(), '-icanon');
    process.kill(pid, 'SIGTERM');
    await shell.expect(/outer\$ /);
    assert.equal((await shells.list()).length, 1);
    shell.type('stty -a | grep -o ".icanon"\r');
    await shell.expect(/ icanon/);
    shell.type('exit\r');
    await shell.exited;
  });

  describe('a session waits', () => {
    test('resume', async () => {
      await waitingSession();
      using pty = checkout.terminal(['image', 'shell', 'debian']);
      await pty.expect(/A session waits on debian since \d{4}-/);
      await pty.expect(/\[r\]esume, \[s\]ave, \[d\]iscard its changes, or \[c\]ancel\? /);
      pty.type('r\r');
      await pty.expect(/:~# /);
      pty.type('exit\r');
      await pty.expect(/New image name/);
      pty.type('\r');
      await pty.expect(/is saved/);
      assert.deepEqual(await shells.list(), []);
    });

    test('a session whose shell has ended gets a new one', async () => {
      await waitingSession('exited');
      using pty = checkout.terminal(['image', 'shell', 'debian']);
      await pty.expect(/or \[c\]ancel\? /);
      pty.type('r\r');
      await pty.expect(/:~# /);
      pty.type('exit\r');
      await pty.expect(/New image name/);
      pty.type('\r');
      await pty.expect(/is saved/);
    });

    test('discard', async () => {
      await waitingSession('exited');
      using pty = checkout.terminal(['image', 'shell', 'debian']);
      await pty.expect(/or \[c\]ancel\? /);
      pty.type('d\r');
      await pty.expect(/The changes are discarded; debian is as it was\./);
      assert.equal(await pty.exited, 0);
      assert.deepEqual(await shells.list(), []);
    });

    test('save asks for the name', async () => {
      await waitingSession();
      using pty = checkout.terminal(['image', 'shell', 'debian']);
      await pty.expect(/or \[c\]ancel\? /);
      pty.type('s\r');
      await pty.expect(/New image name \[debian\]: /);
      pty.type('other\r');
      await pty.expect(/alice\/other is saved/);
      assert.equal(await pty.exited, 0);
    });

    test('cancel leaves it', async () => {
      await waitingSession();
      using pty = checkout.terminal(['image', 'shell', 'debian']);
      await pty.expect(/or \[c\]ancel\? /);
      pty.type('\r');
      await pty.expect(/goes on waiting/);
      assert.equal(await pty.exited, 0);
      assert.equal((await shells.list()).length, 1);
    });
  });
});

describe('in a script', () => {
  test('commands are piped in; --save decides', async () => {
    const child = checkout.start(['image', 'shell', 'debian', '--save', 'made']);
    const opened = new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stdin?.write(`echo $((6 * 7)); ${CHANGE}\n`);
    await opened;
    child.stdin?.end();
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.match(stdout, /^42\r?$/m);
    assert.match(stdout, /alice\/made is saved/);
    assert.equal(status, 0);
    assert.deepEqual(inputOf('image.shell.save'), { session: sessionOfSave(), yes: false, name: 'made' });
  });

  test('input that the shell leaves unread at its end changes nothing', async () => {
    // A terminal that is read by nobody takes some kB; the rest waits at podman when the shell ends.
    const input = `stty raw -echo; echo x >/etc/new; sleep 1; exit 3\n${'x'.repeat(300_000)}`;
    const { status, stdout } = await checkout.run(['image', 'shell', 'debian', '--save', 'made'], { input });
    assert.match(stdout, /alice\/made is saved/);
    assert.equal(status, 0);
  });

  test('an end of input that the terminal takes while a command runs ends the shell', async () => {
    // Longer than some tries to end it: the terminal hands what it took of them to a shell that edits lines, as zeros.
    const { stdout, status } = await checkout.run(['image', 'shell', 'debian', '--save', 'made'], {
      input: `sleep 2; ${CHANGE}\n`,
    });
    assert.match(stdout, /alice\/made is saved/);
    assert.equal(status, 0);
  });

  test('without a decision the session is kept', async () => {
    await waitingSession();
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian', '--resume'], {
      input: 'true\n',
    });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /not saved yet: the session on debian waits\.\n {2}→ `walt image shell debian --save \[NAME\]` saves/,
    );
    assert.equal((await shells.list()).length, 1);
  });

  test('a waiting session is neither taken nor lost without a flag', async () => {
    await waitingSession();
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /A session waits on debian since .*\n {2}→ Repeat with --resume, --save or --discard\./,
    );
  });

  test('--save and --discard alone decide on the waiting session', async () => {
    await waitingSession();
    const saved = await checkout.run(['image', 'shell', 'debian', '--save']);
    assert.match(saved.stdout, /alice\/debian is saved/);
    assert.match(
      saved.stderr,
      /vnode1 still runs the older version: `walt node reboot vnode1` brings the new one/,
    );
    assert.equal(saved.status, 0);
    await waitingSession();
    const discarded = await checkout.run(['image', 'shell', 'debian', '--discard']);
    assert.match(discarded.stdout, /discarded/);
    assert.equal(discarded.status, 0);
  });

  test('what cannot be saved is told, the rest is', async () => {
    await waitingSession('exited', `${CHANGE}; echo x >/etc/hosts`);
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian', '--save']);
    assert.equal(status, 0);
    assert.match(stderr, /^Not saved: \/etc\/hosts: .+\.$/m);
    assert.equal(await images.kindOfFile(await images.get('alice', 'debian'), '/etc/new'), 'file');
  });

  test('what cannot be saved as it is stays in the session, and nothing is asked', async () => {
    await waitingSession('exited', 'echo x >/.wh.x');
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian', '--save']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /"\/\.wh\.x" cannot be saved: .+ The session on debian waits.*\n {2}→ `walt image shell debian`/,
    );
    assert.equal((await shells.list()).length, 1);
  });

  test('a save that fails tells that nothing is lost', async () => {
    await waitingSession();
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian', '--save', 'taken']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /You have an image taken already; it would be replaced\.\n {2}→ .*The session on debian waits, with all its changes\./,
    );
  });

  test('--resume without a session is a failure', async () => {
    const { status, stderr } = await checkout.run(['image', 'shell', 'debian', '--resume']);
    assert.equal(status, 1);
    assert.match(stderr, /No session waits on debian/);
  });
});

describe('console', () => {
  const consoles: Server[] = [];
  /** What QEMU serves: a serial port on which somebody asks for a login, and what is typed is echoed. */
  beforeEach(async () => {
    const { id } = await server.nodes.lookup.row('vnode1');
    const port = createServer((viewer) => {
      viewer.write('login: ');
      viewer.pipe(viewer);
    });
    port.listen(server.nodes.machines.consolePath(id));
    await once(port, 'listening');
    consoles.push(port);
  });
  afterEach(() => {
    for (const port of consoles.splice(0)) port.close();
  });
  test('ctrl-a d leaves it, ctrl-a a sends ctrl-a', async () => {
    using pty = checkout.terminal(['node', 'console', 'vnode1']);
    // Behind what the console printed before: that may have cleared the screen.
    await pty.expect(/login: /);
    await pty.expect(/Console of vnode1: ctrl-a d leaves it\./);
    // What comes is echoed: \x1b[?7l cuts lines at the right edge, as firmware likes to do.
    pty.type('ro\x01aot\x1b[?7l');
    await pty.expect(new RegExp(`ro${'\x01'}ot`));
    pty.type('\x01d');
    await pty.expect(/Left the console of vnode1/);
    assert.ok(
      pty.output.lastIndexOf('\x1b[?7h') > pty.output.lastIndexOf('\x1b[?7l'),
      'the terminal is as it was',
    );
    assert.equal(await pty.exited, 0);
  });

  test('a stale token is renewed, and what was typed meanwhile is not lost', async () => {
    await checkout.run(['node', 'show']);
    await server.forgetTokens();
    const child = checkout.start(['node', 'console', 'vnode1']);
    child.stdin?.write('typed early\n');
    const text = await new Promise<string>((resolve) => {
      let all = '';
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        all += chunk;
        if (all.includes('early')) resolve(all);
      });
    });
    child.kill();
    assert.equal(text, 'login: typed early\n');
  });
});

function sessionOfSave(): unknown {
  return (inputOf('image.shell.save') as { session: string }).session;
}
