/** The ways to a node: `node run`, `node cp`, and OpenSSH's own programs through `walt ssh-config`. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ipv4, udp } from '../../packages/server/src/network/frames.fixture.ts';
import { drop, frame, MINE, OTHER, pass } from '../../packages/server/src/network/tap-frames.fixture.ts';
import { frameRules } from '../../packages/server/src/network/tap-frames.ts';
import { run } from '../../packages/server/src/platform/index.ts';
import type { Client } from '../client.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha', 'beta');
});
after(leavePlatform);

test('node run on one node passes output, input and exit status through', async () => {
  const { root } = platform;
  const failed = await root.walt('node', 'run', 'alpha', '--', 'echo to-out; echo to-err >&2; exit 7');
  assert.deepEqual(failed, { status: 7, stdout: 'to-out\n', stderr: 'to-err\n' });
  const odd = ["it's", 'a  "b"', '$HOME', '*', '--json', ''];
  const words = await root.ok('node', 'run', 'alpha', '--', 'printf', '[%s]\\n', ...odd);
  assert.equal(words, odd.map((word) => `[${word}]\n`).join(''));
  const piped = await root.run([root.launcher, 'node', 'run', 'alpha', '--', 'tr a-z A-Z'], {
    input: 'input\n',
  });
  assert.equal(piped.stdout, 'INPUT\n');
});

test('node run on a set runs everywhere at once, names each line, and answers the highest status', async () => {
  const { root } = platform;
  // Each node waits for the other's sign, relayed by nobody: run in turns, this would never end. A node's name is known
  // to the other by DNS, its sign is that the port is open.
  const meet =
    'peer=alpha; [ "$(hostname)" = alpha ] && peer=beta; ' +
    'nc -l -p 5000 >/dev/null & until nc -z -w 1 $peer 5000; do sleep 0.2; done; ' +
    'echo "$(hostname) met $peer"; [ "$(hostname)" = alpha ] || exit 3';
  const { status, stdout } = await root.walt('node', 'run', 'alpha,beta', '--', meet);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['alpha: alpha met beta', 'beta: beta met alpha']);
  assert.equal(status, 3);

  const data = JSON.parse(
    (await root.walt('node', 'run', '--json', 'my-nodes', '--', 'hostname; exit 4')).stdout,
  );
  assert.equal(data.status, 4);
  assert.deepEqual(
    data.nodes.map(({ node, status, stdout }: Record<string, unknown>) => [node, status, stdout]),
    [
      ['alpha', 4, 'alpha\n'],
      ['beta', 4, 'beta\n'],
    ],
  );
});

test('node cp copies files and folders both ways, whatever their names', async () => {
  const { root, folder } = platform;
  const names = ['plain', 'two words', 'quote\'d "name"', '-dash', 'ümläut', 'star*'];
  const source = join(folder, 'to-copy');
  await mkdir(source);
  for (const name of names) await writeFile(join(source, name), `content of ${name}\n`);

  await root.ok('node', 'cp', source, 'alpha:/root/');
  const there = await root.on('alpha', 'cd /root/to-copy && for f in ./*; do cat "$f"; done | sort');
  assert.deepEqual(there.trim().split('\n'), names.map((name) => `content of ${name}`).sort());

  const back = join(folder, 'came-back');
  await root.ok('node', 'cp', 'alpha:/root/to-copy', back);
  for (const name of names) {
    assert.equal(await readFile(join(back, name), 'utf8'), `content of ${name}\n`);
  }
  const one = join(folder, 'one file');
  await root.ok('node', 'cp', 'alpha:/root/to-copy/quote\'d "name"', one);
  assert.equal(await readFile(one, 'utf8'), 'content of quote\'d "name"\n');

  const missing = await root.walt('node', 'cp', 'alpha:/no/such/file', folder);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /\/no\/such\/file/);
});

test('node cp to booted-image keeps a file of the node in the image that it boots', async () => {
  const { root, folder } = platform;
  await root.on(
    'alpha',
    'mkdir -p /opt/kept && echo made on the node >/opt/kept/note && chmod 640 /opt/kept/note',
  );
  const said = await root.ok('node', 'cp', 'alpha:/opt/kept', 'booted-image');
  assert.match(said, new RegExp(`${DEFAULT_IMAGE} is saved`));
  const back = join(folder, 'kept');
  await root.ok('image', 'cp', `${DEFAULT_IMAGE}:/opt/kept`, back);
  assert.equal(await readFile(join(back, 'note'), 'utf8'), 'made on the node\n');
  assert.equal((await stat(join(back, 'note'))).mode & 0o777, 0o640);

  const missing = await root.walt('node', 'cp', 'alpha:/opt/nothing', 'booted-image');
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /alpha could not read \/opt\/nothing/);
  assert.match(missing.stderr, /The image is as it was/);
});

test('ssh, scp and rsync reach nodes through the printed stanza, with every check on', async () => {
  const { root, folder } = platform;
  const config = join(root.home, '.ssh', 'config');
  await mkdir(join(root.home, '.ssh'), { mode: 0o700 });
  await appendFile(config, await root.ok('ssh-config'), { mode: 0o600 });
  assert.doesNotMatch(await readFile(config, 'utf8'), /StrictHostKeyChecking no/i);
  // OpenSSH takes the home folder from the password file, so the configuration is named.
  const ok = async (...command: string[]) => {
    const { status, stdout, stderr } = await root.run(command);
    assert.equal(status, 0, `${command.join(' ')}: ${stderr}`);
    return stdout;
  };
  assert.equal(await ok('ssh', '-F', config, 'alpha', 'hostname'), 'alpha\n');
  assert.equal(await ok('ssh', '-F', config, 'beta.walt', 'hostname; id -u'), 'beta\n0\n');

  const file = join(folder, 'payload');
  await writeFile(file, Buffer.alloc(3_000_000, 'walt'));
  await ok('scp', '-F', config, file, 'alpha:/tmp/payload');
  await ok('rsync', '-e', `ssh -F ${config}`, '--archive', 'alpha:/tmp/payload', `${file}.back`);
  assert.deepEqual(await readFile(`${file}.back`), await readFile(file));

  // A node that is not the one asked for is refused, by its key: alpha's address with beta's name.
  const known = join(folder, 'empty-known-hosts');
  await writeFile(known, '');
  const stranger = await root.run([
    'ssh',
    '-F',
    config,
    '-o',
    `UserKnownHostsFile=${known}`,
    'alpha',
    'true',
  ]);
  assert.equal(stranger.status, 255);
  assert.match(stranger.stderr, /host key/i);
});

test('a renamed node keeps its address and /persist, and is reached by its new name', async () => {
  const { root } = platform;
  await root.on('beta', 'echo mine >/persist/before-rename');
  const before = (await platform.node()).find(({ name }) => name === 'beta');
  await root.ok('node', 'rename', 'beta', 'gamma');
  const after = (await platform.node()).find(({ name }) => name === 'gamma');
  assert.equal(after?.ip, before?.ip);
  assert.equal(await root.on('gamma', 'cat /persist/before-rename'), 'mine\n');
  const old = await root.walt('node', 'run', 'beta', '--', 'true');
  assert.equal(old.status, 1);
  assert.match(old.stderr, /beta/);
  await root.ok('node', 'rename', 'gamma', 'beta');
});

test('node ping says whether a node answers', async () => {
  const { root } = platform;
  assert.match(await root.ok('node', 'ping', 'alpha', '--count', '1'), /1 received/);
});

test('twenty users come to one node at the same time, and none is turned away', async () => {
  const { root } = platform;
  const all = await Promise.all(
    Array.from({ length: 20 }, () => root.walt('node', 'run', 'alpha', '--', 'true')),
  );
  assert.deepEqual(
    all.filter(({ status }) => status !== 0),
    [],
  );
});

test('a node sends in its own name only', async () => {
  const { root } = platform;
  const { network, unguarded } = await platform.status();
  assert.equal(unguarded, null);
  const ping = (from: string) =>
    `ping -n -c 1 -W 3 ${from} ${network.server} >/dev/null && echo heard || echo unheard`;
  const device = (await root.on('alpha', 'ip -o -4 route get 10.73.0.1')).match(/dev (\S+)/)?.[1];
  assert.ok(device);
  assert.equal(await root.on('alpha', ping('')), 'heard\n');
  const other = '10.73.99.99';
  await root.on('alpha', `ip address add ${other}/32 dev ${device}`);
  assert.equal(await root.on('alpha', ping(`-I ${other}`)), 'unheard\n');
  assert.equal(await root.on('alpha', ping('')), 'heard\n');
  // A frame that says it comes from beta's adapter, so that the bridge would send beta's frames to alpha.
  const beta = (await platform.node()).find(({ name }) => name === 'beta');
  assert.ok(beta);
  const frame = `ffffffffffff${beta.mac.replaceAll(':', '')}88b5${'00'.repeat(46)}`;
  const send = `import socket; s = socket.socket(17, 3, 3); s.bind(("${device}", 0)); s.send(bytes.fromhex("${frame}"))`;
  await root.on('alpha', `python3 -c '${send}'`);
  assert.equal(await root.on('alpha', ping('')), 'heard\n');
  const learned = await run([
    'ip',
    'netns',
    'exec',
    platform.namespace,
    'bridge',
    'fdb',
    'show',
    'br',
    'walt0',
  ]);
  const ports = [...learned.matchAll(new RegExp(`^${beta.mac} dev (\\S+) master`, 'gm'))].map(
    ([, port]) => port,
  );
  assert.deepEqual(ports, [await platform.tapOf('vm-2')]);
});

test('what keeps nodes to their own name does so on the kernel of Debian', async () => {
  const { root } = platform;
  // Two adapters of a bridge on the node; the rules are at the first one, as at a tap.
  const sentinel = frame(0x0800, ipv4(MINE.ip, OTHER.ip, 17, udp(1, 1, Buffer.from('last'))));
  const frames = [...pass, ...drop].map(([, one]) => one.toString('hex'));
  const python = `import socket, sys
source, target = socket.socket(17, 3), socket.socket(17, 3, socket.htons(3))
source.bind(("peer1", 0))
target.bind(("peer2", 0))
target.settimeout(20)
frames = [bytes.fromhex(line) for line in sys.stdin.read().split()]
for one in frames: source.send(one)
while True:
    one = target.recv(65536)
    if one == frames[-1]: break
    if one[6:12] in [frame[6:12] for frame in frames]: print(one.hex())
`;
  const set = [
    'ip link add br9 type bridge mcast_snooping 0 forward_delay 0',
    ...[1, 2].map((n) => `ip link add vm${n} type veth peer name peer${n}`),
    'ip link set vm1 master br9 && ip link set vm2 master br9',
    'for link in vm1 vm2 peer1 peer2 br9; do ip link set $link up; done',
    'uname -r',
  ];
  await root.on('beta', `cat >/root/send.py <<'END'\n${python}END`);
  // Of the default image's kernels that for virtual machines, which starts faster.
  assert.match(await root.on('beta', set.join(' && ')), /^6\.1\..*-cloud-amd64/);
  const input = async (text: string, line: string) => {
    const { status, stdout, stderr } = await root.run([root.launcher, 'node', 'run', 'beta', '--', line], {
      input: text,
    });
    assert.equal(status, 0, stderr);
    return stdout.trim().split('\n');
  };
  await input(frameRules('vm1', MINE), 'nft -f -');
  const came = await input([...frames, sentinel.toString('hex')].join('\n'), 'python3 /root/send.py');
  assert.deepEqual(
    came,
    pass.map(([, one]) => one.toString('hex')),
  );
});

test('a node that changes hands: who had it is cut off at that moment, and what he kept is worth nothing', async () => {
  const ann = await platform.as('daemon');
  const bob = await platform.as('games');
  await ann.ok('node', 'create', 'handed');
  await platform.booted('handed');
  const ip = (await platform.node()).find(({ name }) => name === 'handed')?.ip;
  await ann.on('handed', 'echo of ann >/persist/note; echo secret of ann >/dev/console');
  const annsCertificate = await ann.on('handed', 'cat /etc/walt/ssh/host_key-cert.pub');
  /** Past the server, from inside walt-net, with what a user has kept. */
  const kept = ({ home }: Client) =>
    join(home, '.cache', 'walt', `server-${Buffer.from(platform.paths.socket).toString('base64url')}`, 'ssh');
  const direct = async (client: Client, ...options: string[]) => {
    const words = ['ProxyCommand=none', `HostName=${ip}`, 'ConnectTimeout=30', ...options];
    const ssh = ['ssh', '-F', join(kept(client), 'config'), ...words.flatMap((one) => ['-o', one])];
    const uid = (await run(['id', '-u', client.user])).trim();
    const as = ['setpriv', `--reuid=${uid}`, '--clear-groups', '--'];
    const inside = ['ip', 'netns', 'exec', platform.namespace, ...as, ...ssh, '--', 'handed', 'echo in'];
    return run(inside, { timeout: 60_000, env: client.env });
  };
  assert.equal(await direct(ann), 'in\n');

  // She lets him in for a while, and does not any more.
  await ann.ok('node', 'allow', 'handed', '--group', 'games');
  await using guest = await Terminal.open(bob.command('node', 'shell', 'handed'), { env: bob.env });
  await guest.expect(/root@handed:\S+# $/m, 60_000);
  await ann.ok('node', 'disallow', 'handed', '--group', 'games');
  assert.notEqual(await guest.exited(10_000), 0);
  // On lines of their own, though ssh had the terminal for itself.
  assert.match(await guest.screen(), /^walt: Node handed belongs to daemon\.\n {2}→ /m);

  await using shell = await Terminal.open(ann.command('node', 'shell', 'handed'), { env: ann.env });
  await shell.expect(/root@handed:\S+# $/m, 60_000);
  await using console = await Terminal.open(ann.command('node', 'console', 'handed'), { env: ann.env });
  await console.expect(/secret of ann/);
  // It hears no order: for the next 45 seconds, what ann booted goes on.
  await ann.on('handed', 'pkill -STOP -f walt-agent');
  await bob.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'mine');
  const ordered = bob.ok('node', 'boot', 'handed', 'mine', '--yes');
  assert.notEqual(await shell.exited(10_000), 0);
  assert.match(await shell.screen(), /handed belongs to games/);
  assert.notEqual(await console.exited(10_000), 0);
  assert.match(await console.screen(), /handed belongs to games/);
  const early = await bob.run([bob.launcher, 'node', 'console', 'handed'], { timeout: 30_000 });
  assert.match(early.stderr, /handed still runs what daemon booted/);
  await ordered;
  for (const words of [['shell'], ['console'], ['run', 'handed', '--', 'true']]) {
    const refused = await ann.walt('node', ...words, ...(words.length === 1 ? ['handed'] : []));
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /handed belongs to games/);
  }

  await bob.ok('node', 'wait', 'handed', '--timeout', '280');
  assert.equal(await bob.on('handed', 'ls -A /persist'), '');
  assert.notEqual(await bob.on('handed', 'cat /etc/walt/ssh/host_key-cert.pub'), annsCertificate);
  assert.equal(await direct(bob), 'in\n');
  await assert.rejects(direct(ann), /Host key verification failed/);
  const alias = (await readFile(join(kept(bob), 'nodes', 'handed.conf'), 'utf8')).match(
    /HostKeyAlias (\S+)/,
  )?.[1];
  await assert.rejects(direct(ann, `HostKeyAlias=${alias}`), /Permission denied/);
  await using seen = await Terminal.open(bob.command('node', 'console', 'handed'), { env: bob.env });
  await seen.press('Enter');
  await seen.expect(/login:|root@handed/);
  assert.doesNotMatch(await seen.screen(), /secret of ann/);
});
