/** Shell, commands and copies by the real ssh and scp, to a real sshd with certificates. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';
import { serveSsh } from './node-ssh.ts';

const { server, checkout } = await openClient({ subnet: loopbackNet() });
/** Files of "nodes", which are this machine. */
let there: string;

const served = new AsyncDisposableStack();
const serve = async (name: string) => {
  await server.addNode(name);
  served.use(await serveSsh(server, name));
};
/** A reboot that ends when the answered function is called. */
const rebooting = async (name: string) => {
  const release = server.machines.hold();
  const input = { set: name, hard: true, yes: true };
  const caller = { uid: 0, user: 'alice', role: 'administrator' as const };
  await server.services.calls.node.reboot(caller, input, AbortSignal.timeout(120_000));
  return release;
};

before(async () => {
  await server.addImage('alice/debian');
  for (const name of ['vnode1', 'vnode2', 'vnode3']) await serve(name);
  await server.addNode('board', 'bob/x', 'physical');
  await server.addNode('off1', 'waltplatform/x', 'physical');
  there = mkdtempSync(join(tmpdir(), 'walt-cli-node-'));
});
after(async () => {
  await served.disposeAsync();
  if (there) rmSync(there, { recursive: true, force: true });
});
const sshFolder = () => {
  const cache = join(checkout.home, '.cache/walt');
  return join(cache, readdirSync(cache).find((name) => name.startsWith('server-')) ?? '', 'ssh');
};

describe('node run', () => {
  test('of one node: its output as it is, its exit status', async () => {
    const { status, stdout, stderr } = await checkout.run([
      'node',
      'run',
      'vnode1',
      'echo out; echo err >&2; exit 7',
    ]);
    assert.deepEqual([status, stdout, stderr], [7, 'out\n', 'err\n']);
  });

  test('what is piped in reaches the command, bytes unchanged', async () => {
    const input = '\x00\x01 binary \r\n no newline at the end';
    const { stdout } = await checkout.run(['node', 'run', 'vnode1', 'cat'], { input });
    assert.equal(stdout, input);
  });

  test('several words reach the command as they are, behind -- too', async () => {
    const words = ['printf', '<%s>', 'a  b', '$HOME', "it's", '--json'];
    const { stdout } = await checkout.run(['node', 'run', 'vnode1', ...words]);
    assert.equal(stdout, "<a  b><$HOME><it's><--json>");
    const dashes = await checkout.run(['node', 'run', 'vnode1', '--', 'echo', '-n', 'x']);
    assert.equal(dashes.stdout, 'x');
  });

  test('of several nodes: lines with the name in front, streams apart, the highest status', async () => {
    const line = `echo out; echo err >&2; mkdir ${there}/first 2>/dev/null && exit 4; exit 3`;
    const { status, stdout, stderr } = await checkout.run(['node', 'run', 'my-nodes', line]);
    assert.deepEqual(stdout.split('\n').sort(), ['', 'vnode1: out', 'vnode2: out', 'vnode3: out']);
    const [errors = '', table = ''] = stderr.split('\n\n');
    assert.deepEqual(errors.split('\n').sort(), ['vnode1: err', 'vnode2: err', 'vnode3: err']);
    assert.match(table, /^STATUS +COUNT +NODES\n +3 +2 +vnode\d,vnode\d\n +4 +1 +vnode\d\n$/);
    assert.equal(status, 4);
  });

  test('of several nodes by a pattern and a condition, one at a time', async () => {
    const line = `mkdir ${there}/alone || exit 9; rmdir ${there}/alone`;
    const words = ['node', 'run', '--parallel', '1', '--where', 'name!=vnode2', 'vnode?', line];
    const { status, stderr } = await checkout.run(words);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^\nSTATUS +COUNT +NODES\n +0 +2 +vnode1,vnode3\n$/);
  });

  test('of several nodes: what is piped in reaches each command, as far as it reads', async () => {
    const input = `${'x'.repeat(300_000)}\nlast`;
    const words = (...line: string[]) => ['node', 'run', '--stdin', 'vnode1,vnode2', ...line];
    const all = await checkout.run(words('wc -c; sleep 0'), { input });
    assert.deepEqual(all.stdout.split('\n').sort(), ['', 'vnode1: 300005', 'vnode2: 300005']);
    const some = await checkout.run(words('head -c 1 >/dev/null; exit 3'), { input });
    assert.equal(some.status, 3);
    const none = await checkout.run(words('cat'), { input: '' });
    assert.deepEqual([none.status, none.stdout], [0, '']);
  });

  test('a node that nobody serves is told among the others', async () => {
    await server.addNode('silent');
    const { status, stdout, stderr } = await checkout.run(['node', 'run', 'vnode1,silent', 'echo here']);
    assert.equal(status, 255);
    assert.equal(stdout, 'vnode1: here\n');
    assert.match(stderr, /^silent: walt: Port 22 of node silent refuses connections\.$/m);
    assert.match(stderr, /^ +255 +1 +silent +ssh did not reach it/m);
  });

  test('is refused for all when one is off, or not there', async () => {
    const mark = join(there, 'refused');
    for (const [set, words] of [
      ['vnode1,off1', /off1 is off\.[\s\S]*--where state!=off/],
      ['vnode*,board', /board is off/],
      ['vnode1,x*', /No node matches "x\*"/],
    ] as const) {
      const { status, stderr } = await checkout.run(['node', 'run', set, `touch ${mark}`]);
      assert.equal(status, 1);
      assert.match(stderr, words);
      assert.ok(!existsSync(mark));
    }
  });

  test('--json tells all of each node', async () => {
    const { status, stdout } = await checkout.run([
      'node',
      'run',
      '--json',
      'vnode1,vnode2',
      'echo x; exit 1',
    ]);
    assert.equal(status, 1);
    const one = (node: string) => ({ node, status: 1, stdout: 'x\n', stderr: '' });
    assert.deepEqual(JSON.parse(stdout), { status: 1, nodes: [one('vnode1'), one('vnode2')] });
  });

  test('nodes that boot are waited for', async () => {
    const release = await rebooting('vnode1');
    const child = checkout.start(['node', 'run', 'vnode1', 'echo up']);
    child.stdin?.end();
    child.stderr?.once('data', release);
    const { status, stdout, stderr } = await outcome(child);
    assert.deepEqual([status, stdout], [0, 'up\n']);
    assert.match(stderr, /vnode1 boots/);
  });

  test('ctrl-c ends the command on the nodes, and its children', async () => {
    const mark = join(there, 'running');
    const line = `echo $$ > ${mark}.$$; sleep 1000 & sleep 1000`;
    const child = checkout.start(['node', 'run', 'vnode1,vnode2', line]);
    const ended = outcome(child);
    const pids = await untilFiles(there, 'running.', 2);
    child.kill('SIGINT');
    assert.equal((await ended).status, 130);
    for (const pid of pids) assert.deepEqual(await processesOfSession(pid), []);
  });
});

describe('node shell', () => {
  test('is a login on a terminal, with one line on what is kept', async () => {
    using pty = checkout.terminal(['node', 'shell', 'vnode1']);
    await pty.expect(/gone at its next boot; only \/persist is kept/);
    await pty.expect(/[#$] /);
    pty.type('tty && stty size; exit 5\r');
    await pty.expect(/\/dev\/pts\/\d+\s+30 90/);
    assert.equal(await pty.exited, 5);
  });

  test('waits, with progress, for a node that is not booted yet', async () => {
    const release = await rebooting('vnode1');
    using pty = checkout.terminal(['node', 'shell', 'vnode1']);
    await pty.expect(/vnode1 boots/);
    release();
    await pty.expect(/[#$] /);
    pty.type('exit\r');
    assert.equal(await pty.exited, 0);
  });

  test('the key and the certificate are for the user alone', async () => {
    await checkout.run(['node', 'run', 'vnode1', 'true']);
    const config = join(checkout.home, '.config/walt');
    assert.equal(statSync(join(config, 'id_ed25519')).mode & 0o777, 0o600);
    assert.equal(statSync(join(sshFolder(), 'nodes')).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(config).sort(), ['id_ed25519', 'id_ed25519.pub']);
  });

  test('a node that another authority has signed is refused', async () => {
    await checkout.run(['node', 'run', 'vnode1', 'true']);
    const other = join(there, 'other');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const { knownHosts } = server.ssh;
    const key = readFileSync(`${other}.pub`, 'utf8').split(' ', 2).join(' ');
    server.ssh.knownHosts = () => `@cert-authority walt-node-* ${key}\n`;
    try {
      const { status, stderr } = await checkout.run(['node', 'run', 'vnode1', 'true']);
      assert.equal(status, 255);
      assert.match(stderr, /Host key verification failed/);
    } finally {
      server.ssh.knownHosts = knownHosts;
    }
  });
});

describe('node cp', () => {
  const copied = async (words: string[]) => {
    const { status, stderr } = await checkout.run(words);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^(Copying .*\n)+$/, 'progress, and no complaint');
  };

  test('a file there, a folder back, and from node to node', async () => {
    const here = join(checkout.folder, 'my files');
    mkdirSync(join(here, 'sub'), { recursive: true });
    writeFileSync(join(here, 'sub', 'a:b'), 'content', { mode: 0o640 });
    await copied(['node', 'cp', 'my files', `vnode1:${there}`]);
    assert.equal(readFileSync(join(there, 'my files/sub/a:b'), 'utf8'), 'content');
    assert.equal(statSync(join(there, 'my files/sub/a:b')).mode & 0o777, 0o640);
    await copied(['node', 'cp', `vnode1:${there}/my files/sub/a:b`, './new:name']);
    assert.equal(readFileSync(join(checkout.folder, 'new:name'), 'utf8'), 'content');
    await copied(['node', 'cp', `vnode1:${there}/my files`, `vnode2:${there}/second`]);
    assert.ok(existsSync(join(there, 'second/sub/a:b')));
  });

  test('a file that does not exist is a failure', async () => {
    const { status, stderr } = await checkout.run(['node', 'cp', 'vnode1:/nope/nothing', '.']);
    assert.equal(status, 1);
    assert.match(stderr, /vnode1 could not send all of \/nope\/nothing/);
  });

  /** A folder with what a copy loses easily. */
  const makeDelicate = (folder: string) => {
    mkdirSync(join(folder, 'sub'), { recursive: true });
    writeFileSync(join(folder, 'file'), 'once');
    linkSync(join(folder, 'file'), join(folder, 'hard'));
    symlinkSync('/nowhere', join(folder, 'dangling'));
    symlinkSync('sub', join(folder, 'to-folder'));
    writeFileSync(join(folder, 'tool'), '#!/bin/sh\n');
    chmodSync(join(folder, 'tool'), 0o4755);
    writeFileSync(join(folder, 'n'.repeat(255)), 'long name');
    utimesSync(join(folder, 'file'), 1000, 1000);
  };
  const assertDelicate = (folder: string, toolMode: number) => {
    assert.equal(readlinkSync(join(folder, 'dangling')), '/nowhere');
    assert.equal(readlinkSync(join(folder, 'to-folder')), 'sub');
    assert.equal(statSync(join(folder, 'file')).ino, statSync(join(folder, 'hard')).ino);
    assert.equal(statSync(join(folder, 'file')).mtimeMs, 1_000_000);
    assert.equal(statSync(join(folder, 'tool')).mode & 0o7777, toolMode);
    assert.equal(readFileSync(join(folder, 'n'.repeat(255)), 'utf8'), 'long name');
  };

  test('links of all kinds, times and set-user-ID are kept; here, no program gets set-user-ID', async () => {
    makeDelicate(join(checkout.folder, 'delicate'));
    await copied(['node', 'cp', 'delicate', `vnode1:${there}/one`]);
    assertDelicate(join(there, 'one'), 0o4755);
    await copied(['node', 'cp', `vnode1:${there}/one`, `vnode2:${there}/two`]);
    assertDelicate(join(there, 'two'), 0o4755);
    await copied(['node', 'cp', `vnode2:${there}/two`, 'came-back']);
    assertDelicate(join(checkout.folder, 'came-back'), 0o755);
  });

  test('an existing folder takes the copy into it, FOLDER/. its content', async () => {
    mkdirSync(join(there, 'taker'));
    mkdirSync(join(checkout.folder, 'given/inner'), { recursive: true });
    writeFileSync(join(checkout.folder, 'given/inner/x'), '1');
    await copied(['node', 'cp', 'given', `vnode1:${there}/taker`]);
    await copied(['node', 'cp', 'given/.', `vnode1:${there}/taker/`]);
    await copied(['node', 'cp', 'given', `vnode1:${there}/taker`]);
    assert.deepEqual(readdirSync(join(there, 'taker')).sort(), ['given', 'inner']);
    await copied(['node', 'cp', `vnode1:${there}/taker/.`, `vnode2:${there}/taken`]);
    assert.deepEqual(readdirSync(join(there, 'taken')).sort(), ['given', 'inner']);
    await copied(['node', 'cp', `vnode1:${there}/taker/given/.`, '.']);
    assert.equal(readFileSync(join(checkout.folder, 'inner/x'), 'utf8'), '1');
  });

  const refused: [string, string[], RegExp][] = [
    [
      'into a folder that is not there',
      ['given/inner/x', 'vnode1:THERE/no/'],
      /no folder for .*\/no\/ on vnode1/,
    ],
    ['below one', ['given', 'vnode1:THERE/no/such'], /no folder for .*\/no\/such on vnode1/],
    [
      'of a folder over a file',
      ['given', 'vnode1:THERE/a-file'],
      /a-file is a file on vnode1, and given is a folder/,
    ],
    [
      'of a file over a folder',
      ['a-folder', 'vnode1:THERE/over'],
      /There is a folder a-folder in .*over on vnode1/,
    ],
    ['of what is not here', ['nothing', 'vnode1:THERE'], /There is no nothing on this machine/],
    ['of what is not there', ['vnode1:/nope/x', 'vnode2:THERE'], /There is no \/nope\/x on vnode1/],
  ];
  for (const [what, args, words] of refused) {
    test(`a copy ${what} is refused, with the name`, async () => {
      mkdirSync(join(checkout.folder, 'given/inner'), { recursive: true });
      writeFileSync(join(checkout.folder, 'given/inner/x'), '1');
      writeFileSync(join(checkout.folder, 'a-folder'), 'a file here');
      mkdirSync(join(there, 'over/a-folder'), { recursive: true });
      writeFileSync(join(there, 'a-file'), '');
      const before = readdirSync(there).sort();
      const result = await checkout.run(['node', 'cp', ...args.map((arg) => arg.replace('THERE', there))]);
      assert.equal(result.status, 1);
      assert.match(result.stderr, words);
      assert.deepEqual(readdirSync(there).sort(), before);
    });
  }
});

describe('node cp to a set', () => {
  const cp = (...words: string[]) => checkout.run(['node', 'cp', ...words]);

  test('copies to each, and tells so', async () => {
    // Nodes of this test share a file system: each has a home folder of its own.
    writeFileSync(join(checkout.folder, 'hello -n'), 'hello');
    const { status, stdout, stderr } = await cp('hello -n', "vnode?:~/it's here");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^NODES +RESULT\nvnode1, vnode2 and vnode3 +copied\n$/);
    const { stdout: found } = await checkout.run(['node', 'run', 'vnode?', "cat ~/it\\'s\\ here"]);
    assert.deepEqual(found.split('\n').sort(), ['', 'vnode1: hello', 'vnode2: hello', 'vnode3: hello']);
  });

  test('tells for which nodes it failed, and why', async () => {
    writeFileSync(join(checkout.folder, 'one'), '1');
    await checkout.run(['node', 'run', 'vnode2', 'mkdir -p ~/only']);
    const { status, stdout } = await cp('one', 'vnode1,vnode2:~/only/');
    assert.equal(status, 1);
    assert.match(stdout, /^vnode2 +copied\nvnode1 +There is no folder for ~\/only\/ on vnode1\.$/m);
    const json = await cp('--json', '--where', 'name=vnode2', 'one', 'vnode*:~/only/');
    assert.deepEqual(JSON.parse(json.stdout), [{ node: 'vnode2', error: null }]);
  });

  test('is refused before anything where it makes no sense', async () => {
    for (const [words, complaint] of [
      [['nothing', 'vnode?:~'], /There is no nothing on this machine/],
      [['one', 'vnode?,board:~'], /board is off/],
      [['one', 'vnode?,x*:~'], /No node matches "x\*"/],
      [['vnode?:~', '.'], /vnode\? means 3 nodes, and this command takes one/],
      [['--where', 'type=virtual', 'vnode1:~', '.'], /--where is for a set that something is copied to/],
    ] as const) {
      const { status, stderr } = await cp(...words);
      assert.notEqual(status, 0);
      assert.match(stderr, complaint);
    }
  });
});

describe('ssh-config', () => {
  const stanza = async () => {
    const { stdout } = await checkout.run(['ssh-config']);
    const file = join(checkout.home, 'ssh_config');
    writeFileSync(file, stdout);
    return file;
  };
  const ssh = async (file: string, ...args: string[]) =>
    outcome(spawn('ssh', ['-F', file, ...args], { env: checkout.env, stdio: ['ignore', 'pipe', 'pipe'] }));

  test('plain ssh reaches a node by its name, and by NAME.walt', async () => {
    const file = await stanza();
    rmSync(sshFolder(), { recursive: true, force: true });
    for (const host of ['vnode1', 'vnode3.walt']) {
      const { status, stdout, stderr } = await ssh(file, host, 'echo reached');
      assert.deepEqual([status, stdout, stderr], [0, 'reached\n', '']);
    }
  });

  test('nodes that are newer than the file are reached by NAME.walt', async () => {
    const file = await stanza();
    await serve('newer');
    const { status, stderr } = await ssh(file, 'newer.walt', 'true');
    assert.deepEqual([status, stderr], [0, '']);
  });

  test('a node that is off, an unknown one: walt says so', async () => {
    const file = await stanza();
    assert.match((await ssh(file, 'board.walt', 'true')).stderr, /walt: Node board is off\./);
    assert.match((await ssh(file, 'other.walt', 'true')).stderr, /walt: There is no node named "other"\./);
  });

  test('other hosts are not touched', async () => {
    const { stdout } = spawnSync('ssh', ['-F', await stanza(), '-G', 'example.org'], { encoding: 'utf8' });
    assert.match(stdout, /^hostname example\.org$/m);
    assert.doesNotMatch(stdout, /walt/);
  });
});

/** Process ids in files `PREFIX…` of the folder, once there are as many. */
async function untilFiles(folder: string, prefix: string, count: number): Promise<number[]> {
  const { watch } = await import('node:fs/promises');
  const find = () =>
    readdirSync(folder)
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(readFileSync(join(folder, name), 'utf8')))
      .filter((pid) => pid > 0);
  // It watches from its first `next` on: what comes after the look is seen.
  const found = new AbortController();
  const signal = AbortSignal.any([found.signal, AbortSignal.timeout(120_000)]);
  const events = watch(folder, { signal })[Symbol.asyncIterator]();
  let next = events.next();
  while (find().length < count) {
    await next;
    next = events.next();
  }
  next.catch(() => {});
  found.abort();
  return find();
}

/** Processes of the session that `pid` led, but zombies. */
async function processesOfSession(pid: number): Promise<string[]> {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,pid=,args=', '-s', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '' && !line.startsWith('Z'));
}
