import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { before, beforeEach, describe, test } from 'node:test';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';

const { server, checkout } = await openClient();

const CHANGED = `sha256:${'ab'.repeat(32)}`;
const caller = { uid: 0, user: 'alice', role: 'administrator' as const };
const nodes = () =>
  server.services.calls.node.list(caller, { set: 'all-nodes' }, AbortSignal.timeout(120_000));

/** But for what each command asks that may bring somebody near a quota. */
const called = () => server.calls.filter(([name]) => name !== 'server.quotas');

/** Nodes of alice, of bob and of nobody; one that runs an older version of its image. */
async function furnish() {
  await server.clear();
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('alice/debian');
  await server.addImage('alice/tools', { kernel: null, bootPlan: null, lends: ['kernel', 'ssh'] });
  await server.addImage('bob/x');
  await server.addNode('vnode1');
  await server.addImage('alice/debian', { digest: CHANGED });
  await server.addNode('vnode2');
  await server.addNode('free1', 'waltplatform/pc-x86-64-default', 'physical');
  await server.addNode('bobs', 'bob/x');
}

describe('lists', () => {
  before(furnish);

  test('node show lists the own nodes, and tells which ones run an older image', async () => {
    const { status, stdout, stderr } = await checkout.run(['node', 'show']);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.equal(
      stdout,
      `Your nodes

NAME    STATE     IMAGE         ADDRESS    ARCH   MODEL      TYPE
vnode1  booted *  alice/debian  10.73.0.2  amd64  pc-x86-64  virtual
vnode2  booted    alice/debian  10.73.0.3  amd64  pc-x86-64  virtual

* Its image changed since it booted: \`walt node reboot NODE\` brings the change.

\`walt node show --all\` also lists free nodes and those of others.
`,
    );
  });

  test('node show --all has a table per kind of owner', async () => {
    const { stdout } = await checkout.run(['node', 'show', '--all']);
    assert.deepEqual(
      stdout.split('\n').filter((line) => /odes$|of others$/.test(line)),
      ['Your nodes', 'Free nodes', 'Nodes of others'],
    );
    assert.match(stdout, /^bobs +bob +booted/m);
  });

  test('--names-only and --json are for programs', async () => {
    assert.equal((await checkout.run(['node', 'show', '--names-only'])).stdout, 'vnode1\nvnode2\n');
    const { stdout } = await checkout.run(['node', 'show', '--all', '--json']);
    assert.deepEqual(JSON.parse(stdout), await nodes());
    const images = await checkout.run(['image', 'show', '--all', '--names-only']);
    assert.equal(images.stdout, 'debian\ntools\nbob/x\nwaltplatform/pc-x86-64-default\n');
  });

  test('node show lists what conditions leave', async () => {
    const shown = async (...words: string[]) =>
      (await checkout.run(['node', 'show', '--names-only', ...words])).stdout;
    assert.equal(await shown('--where', 'current=no'), 'vnode1\n');
    assert.equal(await shown('--all', '--where', 'owner=none,bob', '--where', 'type=virtual'), 'bobs\n');
    assert.equal(await shown('--where', 'state=off'), '');
    const { stdout } = await checkout.run(['node', 'show', '--all', '--where', 'owner=bob']);
    assert.match(stdout, /^Nodes of others\n\nNAME/);
  });

  test('node show tells all about the nodes that are named, and the same with --json', async () => {
    await checkout.run(['node', 'config', 'vnode1', 'disks=32G,1G[template=ext4]', 'boot.retries=3']);
    const { stdout } = await checkout.run(['node', 'show', 'vnode1', 'free1,bobs']);
    const text = stdout
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, 'DATE')
      .replaceAll(/\((?:\d+ (?:s|min) ?)+\)/g, '(AGO)');
    const [named] = (await nodes()).filter(({ name }) => name === 'vnode1');
    const runs = named?.running?.slice(0, 'sha256:'.length + 12);
    assert.equal(
      text.slice(text.indexOf('vnode1')).replaceAll(/[\d.]+ k?M?B in use/g, 'N in use'),
      `vnode1

state        booted since DATE (AGO)
used by      alice and all administrators
is           a virtual pc-x86-64 (amd64)
address      10.73.0.2, 52:54:00:00:00:10
known since  DATE
image        alice/debian
runs         ${runs}
next boot    ${CHANGED.slice(0, 'sha256:'.length + 12)}
last boot    DATE, ${runs}, volumes
all boots    walt node log vnode1
power        virtual machine: on
disk 1       32 GB, N in use
disk 2       1 GB, N in use, made as ext4

settings
  netsetup=LAN
  expose=none
  cpu.cores=2
  ram=1G
  disks=32G,1G[template=ext4]  (set)
  networks=walt-net
  host=any
  boot.delay=0
  boot.timeout=180
  boot.retries=3  (set)
  volumes.from=own-host
  mount.persist=true
  logs.console=true
  logs.journal=false
  logs.netconsole=false
`,
    );
    assert.match(text, /^used by +everybody: it is free$/m);
    assert.match(text, /^used by +bob and all administrators$/m);
    const { stdout: json } = await checkout.run(['node', 'show', 'vnode1,free1', '--json']);
    const [free, own] = JSON.parse(json);
    assert.deepEqual([free.disks, free.served, free.bootOwner], [[], null, null]);
    const { created, digest, served, bootOwner, guests, settings, disks, ...rest } = own;
    assert.deepEqual(guests, { users: [], groups: [] });
    assert.deepEqual(rest, named);
    assert.deepEqual([digest, served.digest, bootOwner], [CHANGED, named?.running, 'alice']);
    assert.ok(served.at >= created);
    assert.deepEqual(settings[0], { name: 'netsetup', value: 'LAN', isSet: false });
    assert.deepEqual(disks[0], { template: 'none', size: 32_000_000_000, used: disks[0].used });
    assert.ok(disks[1].used > 0 && disks[1].used < disks[1].size);
  });

  test('image show tells what boots, and where a session waits', async () => {
    const opened = { id: '0123456789abcdef', user: 'alice', container: 'none', opened: 1_790_000_000 };
    await server.catalogue.addSession({ ...opened, owner: 'alice', name: 'debian', digest: CHANGED });
    const { stdout } = await checkout.run(['image', 'show']);
    assert.match(stdout, /^debian \* +2 +2026-09-2\d \d\d:\d\d +409 MB +amd64 +pc-x86-64$/m);
    assert.match(stdout, /^tools .* no: lacks kernel, ssh$/m);
    assert.doesNotMatch(stdout, /bob/);
  });

  test('device show and server-status print tables', async () => {
    assert.match(
      (await checkout.run(['device', 'show'])).stdout,
      /^NAME +ADDRESS +MAC +TYPE\nwalt-server .*\n(?:.*\n)+vnode1 /,
    );
    const { stdout } = await checkout.run(['advanced', 'server-status']);
    assert.match(stdout, /^Memory +90 MB$/m);
    assert.match(stdout, /^dnsmasq +running +4242 +0$/m);
  });

  test('node show says what to do when there is none', async () => {
    await server.clear();
    const { status, stdout } = await checkout.run(['node', 'show']);
    assert.equal(status, 0);
    assert.match(stdout, /You do not own any node yet: `walt node create NAME` makes a virtual one\./);
  });
});

describe('changes', () => {
  beforeEach(furnish);

  const cases: [args: string[], call: [string, unknown], output: RegExp][] = [
    [
      ['node', 'create', 'new1', '--ram', '2G', '--cpu-cores', '1', '--image', 'debian'],
      [
        'node.create',
        {
          name: 'new1',
          image: 'debian',
          settings: [
            { name: 'cpu.cores', value: '1' },
            { name: 'ram', value: '2G' },
          ],
          yes: false,
        },
      ],
      /^new1 is made and boots alice\/debian\.\n`walt node wait new1` ends when it has booted\.\n$/,
    ],
    [
      ['node', 'boot', 'vnode1,vnode2', 'debian', '--yes'],
      ['node.boot', { set: 'vnode1,vnode2', image: 'debian', yes: true }],
      /^vnode1 and vnode2 reboot into alice\/debian \(sha256:abababababab\)\.\n$/,
    ],
    [
      ['node', 'deploy', 'vnode?', 'debian', '--where', 'owner=alice', '--where', 'image!=x'],
      ['node.boot', { set: 'vnode? owner=alice image!=x', image: 'debian', yes: false }],
      /^vnode1 and vnode2 reboot into alice\/debian/,
    ],
    [
      ['node', 'reboot', '--hard', 'vnode1'],
      ['node.reboot', { set: 'vnode1', hard: true, yes: false }],
      /^vnode1 reboots\.\n$/,
    ],
    [
      ['node', 'release', 'my-nodes'],
      ['node.release', { set: 'my-nodes', yes: false }],
      /^vnode1 and vnode2 are free now and reboot\.\n$/,
    ],
    [
      ['node', 'rename', 'vnode1', 'other'],
      ['node.rename', { name: 'vnode1', newName: 'other', yes: false }],
      /^vnode1 is called other now\.\n$/,
    ],
    [
      ['node', 'allow', 'vnode1,vnode2', 'daemon', '--group', 'daemon', '--group', 'bin'],
      ['node.allow', { set: 'vnode1,vnode2', users: ['daemon'], groups: ['daemon', 'bin'] }],
      /^vnode1 may also be used by daemon, group bin, group daemon now\.\nvnode2 may also/,
    ],
    [
      ['node', 'disallow', 'vnode1', '--all'],
      ['node.disallow', { set: 'vnode1', users: [], groups: [], all: true }],
      /^Nobody else may use vnode1 now\.\n$/,
    ],
    [
      ['node', 'remove', 'vnode1', '--yes'],
      ['node.remove', { set: 'vnode1', yes: true }],
      /^vnode1 is removed\.\n$/,
    ],
    [
      ['image', 'duplicate', 'bob/x', 'mine'],
      ['image.duplicate', { image: 'bob/x', newName: 'mine', yes: false }],
      /^mine is a copy of bob\/x now\.\n$/,
    ],
    [
      ['image', 'rename', 'debian', 'deb'],
      ['image.rename', { image: 'debian', newName: 'deb' }],
      /^debian is called deb now\.\n$/,
    ],
    [
      ['image', 'allow', 'debian', 'shared', 'daemon', '--group', 'bin'],
      ['image.allow', { image: 'debian', visibility: 'shared', users: ['daemon'], groups: ['bin'] }],
      /^alice\/debian is shared with daemon, group bin now: nobody else sees it\.\n$/,
    ],
    [
      ['image', 'allow', 'debian', 'private'],
      ['image.allow', { image: 'debian', visibility: 'private', users: [], groups: [] }],
      /^alice\/debian is private now: nobody else sees it\.\n$/,
    ],
    [
      ['image', 'remove', 'tools'],
      ['image.remove', { image: 'tools', yes: false }],
      /^alice\/tools is removed\.\nFor 7 days, `walt image undo tools` brings it back\.\n$/,
    ],
  ];
  for (const [args, call, output] of cases) {
    test(`walt ${args.join(' ')}`, async () => {
      const { status, stdout, stderr } = await checkout.run(args);
      assert.equal(stderr, '');
      assert.match(stdout, output);
      assert.equal(status, 0);
      assert.deepEqual(called(), [call]);
    });
  }

  test('walt node acquire free1, which is off', async () => {
    assert.deepEqual(await checkout.run(['node', 'acquire', 'free1']), {
      status: 0,
      stdout: 'free1 is yours now.\n',
      stderr:
        'free1 does not answer, and nobody has the power of it: it boots when somebody switches it off and on. See `walt help show power`.\n',
    });
    assert.deepEqual(called(), [['node.acquire', { set: 'free1' }]]);
  });

  for (const [words, output] of [
    [['node', 'acquire', 'vnode1'], 'Yours already: nothing was done.\n'],
    [['node', 'release', 'free1'], 'Free already: nothing was done.\n'],
  ] as const) {
    test(`walt ${words.join(' ')}, which is so`, async () => {
      assert.deepEqual(await checkout.run(words), { status: 0, stdout: output, stderr: '' });
    });
  }

  test('what stands where a command belongs, and is none, reaches no node', async () => {
    const { status, stderr } = await checkout.run(['node', 'run', 'vnode1', '--stdin', 'cat']);
    assert.deepEqual([status, called()], [2, []]);
    assert.match(stderr, /No command begins as "--stdin" does\.\n.*Options come before the nodes/);
  });

  test('a file that is not here is told before anybody asks for the node', async () => {
    const { status, stderr } = await checkout.run(['node', 'cp', '/nonexistent', 'vnode1:/']);
    assert.deepEqual([status, called()], [1, []]);
    assert.match(stderr, /There is no \/nonexistent on this machine/);
  });

  test('node wait tells its progress on standard error, its result on standard output', async () => {
    const release = server.machines.hold();
    await server.addNode('vnode3');
    const waiting = checkout.start(['node', 'wait', 'vnode1,vnode3']);
    const ended = outcome(waiting);
    waiting.stderr?.once('data', release);
    assert.deepEqual(await ended, {
      status: 0,
      stdout: 'vnode1 and vnode3 have booted.\n',
      stderr: 'nodes boot · 1 of 2 nodes\n',
    });
  });

  test('an error at the end of a stream ends the command', async () => {
    const { status, stderr } = await checkout.run(['node', 'wait', 'free1', '--timeout', '1']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /walt: free1 is not booted after 1 seconds\.\n {2}→ free1 does not answer, and nobody has its power\. Switch it off and on/,
    );
  });

  test('node expose refuses what is no pair of ports', async () => {
    const { status, stderr } = await checkout.run(['node', 'expose', 'vnode1', '80']);
    assert.equal(status, 2);
    assert.match(
      stderr,
      /^walt: Port 80 of the node is to lead nowhere\.\n {2}→ Say first the port of the node/,
    );
  });

  test('node ping prints lines as they come and ends with the status of ping', async () => {
    const { status, stdout } = await checkout.run(['node', 'ping', 'vnode1', '-c', '2']);
    assert.match(stdout, /^PING 10\.73\.0\.2 [\s\S]*\n2 packets transmitted, 0 received/);
    assert.equal(status, 1);
  });
});

describe('the boots of a node', () => {
  before(furnish);

  test('node log tells what ran, why, and how long each step took', async () => {
    const reboot = await checkout.run(['node', 'reboot', 'vnode1', '--wait']);
    assert.equal(reboot.stdout, 'vnode1 reboots.\nvnode1 has booted.\n');
    const { status, stdout, stderr } = await checkout.run(['node', 'log', 'vnode1']);
    assert.deepEqual([status, stderr], [0, '']);
    const one = (why: string) =>
      `\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  booted after \\S+ s, alice/debian \\(sha256:\\w{12}\\)\n  alice ${why}\n  .*address \\S+ s · init \\S+ s\n`;
    // The machines of tests load no files.
    assert.match(stdout, new RegExp(`^${one('ordered a reboot')}\n`));
    const json = await checkout.run(['node', 'log', 'vnode1', '--json', '-n', '1']);
    const boots = JSON.parse(json.stdout);
    assert.deepEqual(
      boots.map(({ cause, user, digest, state }: Record<string, unknown>) => [cause, user, digest, state]),
      [['reboot', 'alice', CHANGED, 'booted']],
    );
    assert.deepEqual(server.calls.at(-1), ['node.log', { name: 'vnode1', count: 1 }]);
  });
});

describe('confirmation', () => {
  beforeEach(furnish);

  test('without a terminal nothing is done, and the error tells how to agree', async () => {
    const { status, stderr } = await checkout.run(['node', 'reboot', 'bobs']);
    assert.equal(status, 1);
    assert.equal(
      stderr,
      'walt: bobs is in use by bob. Do you want to reboot it?\n  → If you agree, repeat with --yes.\n',
    );
  });

  test('on a terminal the user is asked', async () => {
    using pty = checkout.terminal(['node', 'reboot', 'bobs']);
    await pty.expect(/bobs is in use by bob\. Do you want to reboot it\? \[y\/N\] /);
    pty.type('y\r');
    await pty.expect(/bobs reboots\./);
    assert.equal(await pty.exited, 0);
  });

  test('anything but yes changes nothing', async () => {
    using pty = checkout.terminal(['node', 'reboot', 'bobs']);
    await pty.expect(/\[y\/N\] /);
    pty.type('\r');
    await pty.expect(/Given up; nothing was changed\./);
    assert.equal(await pty.exited, 1);
    assert.equal(server.calls.length, 1);
  });
});

describe('wrong usage and failures', () => {
  before(furnish);

  const cases: [args: string[], status: number, stderr: RegExp][] = [
    [['nod', 'show'], 2, /no category named "nod"\.\n {2}→ Did you mean `walt node`\?/],
    [['constructor'], 2, /no category named "constructor"\.\n {2}→ `walt --help` lists them/],
    [['node', 'rebot'], 2, /Did you mean `walt node reboot`\?/],
    [['node', 'boot', 'vnode1'], 2, /Missing required argument 'image'\.\n {2}→ `walt node boot --help`/],
    [['node', 'show', '--al'], 2, /Unknown option '--al'/],
    [['node', 'show', 'vnode1', '--all'], 2, /--all and --names-only are for the list/],
    [['node', 'show', 'vnode1', 'nope'], 1, /nope/],
    [
      ['node', 'create', 'n1', '--ram', 'much'],
      1,
      /ram cannot be "much"\.\n {2}→ It must be a size from 128M to 1024G/,
    ],
    [['node', 'create', 'Bad_Name'], 1, /The name "Bad_Name" must be 2 to 63 lower-case letters/],
    [
      ['node', 'reboot', 'nope'],
      1,
      /walt: There is no node named "nope"\.\n {2}→ See all nodes with: walt node show --all\n/,
    ],
    [['node', 'reboot', 'v*,x*'], 1, /walt: No node matches "x\*"\./],
    [
      ['node', 'reboot', 'vnode1', '--where', 'colour=red'],
      1,
      /The set of nodes .* and "colour" is none: they/,
    ],
    [['node', 'reboot', 'vnode1', '--where', 'state=off'], 1, /No node matches "vnode1 state=off"/],
    [['node', 'log', 'nope'], 1, /There is no node named "nope"/],
    [['node', 'log', 'vnode1', '-n', '0'], 2, /It must be a whole number, 1 or more\./],
    [['--server'], 2, /`--server` needs a name\./],
    [['--server', 'nope', 'node', 'show'], 1, /There is no server named "nope"\.\n {2}→ `walt server list`/],
    [['--server=ssh://x/y', 'node', 'show'], 1, /must end with the host or its port, without a path/],
    [['server', 'add', 'A b', 'ssh://x'], 1, /"A b" is no name for a server/],
    [['server', 'add', 'local', 'ssh://x'], 1, /"local" is the server of this machine/],
    [['server', 'add', 'x', 'ssh://-oProxyCommand=x'], 1, /is no name or address of a host/],
    [['server', 'use', 'constructor'], 1, /There is no server named "constructor"/],
    [['server', 'remove', 'local'], 1, /which needs no name/],
    [['node', 'cp', 'a', 'b'], 2, /Neither side is on a node/],
    [
      ['node', 'cp', 'vnode1:notes', 'booted-image'],
      2,
      /notes cannot be copied into the image: it is no absolute path/,
    ],
    [['node', 'shell', 'my-nodes'], 1, /my-nodes means 2 nodes, and this command takes one/],
    [['image', 'cp', 'a', 'b'], 2, /Exactly one side must be in an image/],
    [['image', 'shell', 'debian', '--save', 'x', '--discard'], 2, /cannot be used with/],
  ];
  for (const [args, status, stderr] of cases) {
    test(`walt ${args.join(' ')}`, async () => {
      const outcome = await checkout.run(args);
      assert.match(outcome.stderr, stderr);
      assert.equal(outcome.stdout, '');
      assert.equal(outcome.status, status);
    });
  }

  test('with --json the error is an object on standard error', async () => {
    const { status, stderr } = await checkout.run(['node', 'reboot', 'nope', '--json']);
    assert.equal(status, 1);
    assert.deepEqual(JSON.parse(stderr), {
      error: {
        code: 'NOT_FOUND',
        message: 'There is no node named "nope".',
        hint: 'See all nodes with: walt node show --all',
      },
    });
  });

  test('--server in front changes nothing of that', async () => {
    const { stderr } = await checkout.run(['--server', 'nope', 'node', 'reboot', 'x', '--json']);
    assert.equal(JSON.parse(stderr).error.code, 'NOT_FOUND');
    const { stderr: text } = await checkout.run(['--server', 'nope', 'node', 'run', 'x', 'cmd', '--json']);
    assert.match(text, /^walt: There is no server named "nope"/);
  });

  test('no server: the socket is named, and the next step', async () => {
    const { status, stderr } = await checkout.run(['node', 'show'], {
      env: { WALT_SOCKET: '/nope/walt.sock' },
    });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^walt: Cannot reach the WalT server at \/nope\/walt\.sock\.\n {2}→ Start it with `sudo walt-server start`/,
    );
  });

  test('help on standard output; no command is status 1', async () => {
    const all = await checkout.run([]);
    assert.match(all.stdout, /^ {2}node +the machines/m);
    assert.equal(all.status, 1);
    assert.equal((await checkout.run(['--help'])).status, 0);
    const node = await checkout.run(['node']);
    assert.match(node.stdout, /^ {2}reboot +reboot nodes$/m);
    assert.equal(node.status, 1);
    const show = await checkout.run(['node', 'show', '--help']);
    assert.match(show.stdout, /--names-only/);
    assert.equal(show.status, 0);
  });

  test('a reader that goes away is no failure', async () => {
    for (let number = 0; number < 1000; number++) await server.addImage(`alice/image-${number}`);
    const child = checkout.start(['image', 'show', '--json']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(status, 0);
  });
});

describe('identity', () => {
  const tokenFolder = () => {
    const cache = join(checkout.home, '.cache/walt');
    const [name] = readdirSync(cache).filter((entry) => entry.startsWith('server-'));
    return join(cache, name ?? '');
  };

  test('the token is kept for the user alone, and used again', async () => {
    await checkout.run(['node', 'show']);
    const proofs = await server.proofs();
    await checkout.run(['node', 'show']);
    assert.equal(await server.proofs(), proofs);
    assert.equal(statSync(join(tokenFolder(), 'token')).mode & 0o777, 0o600);
    assert.equal(statSync(tokenFolder()).mode & 0o777, 0o700);
  });

  test('a token that the server does not know any more is renewed without a word', async () => {
    await checkout.run(['node', 'show']);
    const before = readFileSync(join(tokenFolder(), 'token'), 'utf8');
    await server.forgetTokens();
    const { status, stderr } = await checkout.run(['node', 'show']);
    assert.deepEqual([status, stderr], [0, '']);
    assert.notEqual(readFileSync(join(tokenFolder(), 'token'), 'utf8'), before);
  });

  test('a home that cannot be written costs a proof each time, no more', async () => {
    const env = { HOME: checkout.walt };
    const proofs = await server.proofs();
    assert.equal((await checkout.run(['node', 'show'], { env })).status, 0);
    assert.equal(await server.proofs(), proofs + 1);
  });
});

describe('start-up', () => {
  before(furnish);

  test('node show loads neither Node’s fetch nor zod', async () => {
    const probe = `process.on('exit', () => process.stderr.write(JSON.stringify(process.moduleLoadList.filter((name) => /undici|webstreams/.test(name)))))`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(probe)}` };
    const { stdout, stderr } = await checkout.run(['node', 'show'], { env });
    assert.match(stdout, /vnode1/);
    assert.doesNotMatch(stderr, /undici/);
  });

  test('the launcher works through links, from any folder, and by PATH', async () => {
    const bin = join(checkout.folder, 'bin');
    mkdirSync(bin);
    symlinkSync('../walt', join(bin, 'relative'));
    symlinkSync(join(bin, 'relative'), join(bin, 'walt'));
    const { spawnSync } = await import('node:child_process');
    const env = { ...checkout.env, PATH: `${bin}:${process.env.PATH}` };
    const { stdout } = spawnSync('walt', ['--version'], { env, cwd: '/', encoding: 'utf8' });
    assert.match(stdout, /^walt \d+\.\d+\.\d+\n$/);
  });

  test('scripts/packages tells how it is used', async () => {
    const { spawnSync } = await import('node:child_process');
    const script = join(import.meta.dirname, '../../../scripts/packages');
    for (const words of [['--foo'], ['--arch', 'vax'], ['--revision'], ['one', 'two']]) {
      const { status, stderr } = spawnSync(script, words, { encoding: 'utf8' });
      assert.deepEqual([status, stderr.split(' [')[0]], [2, 'usage: scripts/packages'], words.join(' '));
    }
    const { status, stdout } = spawnSync(script, ['--help'], { encoding: 'utf8' });
    assert.deepEqual([status, stdout.split(' [')[0]], [0, 'usage: scripts/packages']);
  });

  test('a checkout that is not installed says so', async () => {
    const { cpSync, mkdtempSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { spawnSync } = await import('node:child_process');
    const folder = mkdtempSync(join(tmpdir(), 'walt-cli-bare-'));
    try {
      cpSync(checkout.walt, join(folder, 'walt'));
      const { status, stderr } = spawnSync(join(folder, 'walt'), [], { encoding: 'utf8' });
      assert.equal(status, 1);
      assert.equal(
        stderr,
        `walt: the programs that it stands on are not installed yet\n  → sudo ${folder}/quickstart\n`,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
