import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, it } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { answers, attempt, isUserError, namespaceFile, run } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { ipIn } from '../ip.ts';
import { Machine, testInNamespace } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { ExposedPorts } from './exposed-ports.ts';

const [NODE, OTHER] = ['10.99.0.2', '10.99.0.3'];
/** Counts what it is sent, and says so once all has come. */
const COUNT = `require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  let count = 0;
  socket.on('data', (bytes) => { count += bytes.length; });
  socket.on('end', () => socket.end(String(count)));
  socket.on('error', () => {});
}).listen(80)`;

testInNamespace(import.meta.filename, () => {
  const own = process.env.WALT_TEST_NAMESPACE ?? '';
  const host = `${own}-91`;
  const exposed = new ExposedPorts(host);
  const machines: Machine[] = [];
  const programs: ChildProcess[] = [];
  const inside = (namespace: string) => ['nsenter', `--net=${namespaceFile(namespace)}`, '--'];
  /** What comes back from a port of the host; nothing, where it does not lead to an answer. */
  const say = async (text: string, where: string) => {
    const argv = [...inside(host), 'socat', '-t', '60', '-', where];
    const { status, stdout } = await attempt(argv, { input: text, timeout: 60_000 });
    return status === 0 ? stdout : '';
  };
  const conflict = (error: unknown) =>
    isUserError(error) &&
    error.code === 'CONFLICT' &&
    /Port \d+ of the server machine is in use\./.test(error.message);

  before(async () => {
    await run(['ip', 'netns', 'add', host]);
    await ipIn(host, 'link', 'set', 'lo', 'up');
    await Bridge.open('walt0', parseSubnet('10.99.0.0/24'));
    for (const [index, ip] of [NODE, OTHER].entries()) {
      const machine = await Machine.plug(index + 2, 'walt0', { ip: `${ip}/24` });
      machines.push(machine);
      programs.push(machine.start(process.execPath, '-e', COUNT));
      await until('the node to listen', () => answers({ host: ip, port: 80 }, { timeout: 5000 }));
    }
    const [file = '', ...words] = [...inside(host), 'socat', 'TCP4-LISTEN:9000,bind=127.0.0.1', 'PIPE'];
    programs.push(spawn(file, words, { stdio: 'ignore' }));
    await until('somebody to listen', async () =>
      /:9000\b/.test(await run([...inside(host), 'ss', '-Hltn'])),
    );
  });
  after(async () => {
    await exposed.close();
    for (const program of programs) {
      program.kill('SIGKILL');
      if (program.exitCode === null && program.signalCode === null) await once(program, 'exit');
    }
    for (const machine of machines) await machine.unplug();
    await run(['ip', 'netns', 'delete', host]);
  });

  it('leads a port of the host to a node, by IPv4 and IPv6, and takes none where the server is', async () => {
    await exposed.require(1, [{ node: 80, server: 8080 }]);
    await exposed.set(1, NODE, [{ node: 80, server: 8080 }]);
    assert.equal(
      await say('hello', 'TCP4:127.0.0.1:8080'),
      '5',
      'the answer comes after the end of the question',
    );
    assert.equal(await say('x'.repeat(1_000_000), 'TCP6:[::1]:8080'), '1000000');
    assert.equal(await answers({ host: '127.0.0.1', port: 8080 }), false);
  });

  it('refuses ports that are in use, by whomever, and opens the others', async () => {
    await exposed.require(1, [{ node: 81, server: 8080 }]);
    await assert.rejects(exposed.require(2, [{ node: 80, server: 8080 }]), conflict);
    await assert.rejects(exposed.require(undefined, [{ node: 80, server: 9000 }]), conflict);
    const both = [
      { node: 80, server: 9000 },
      { node: 80, server: 8081 },
    ];
    await assert.rejects(exposed.set(2, OTHER, both), conflict);
    assert.equal(await say('abc', 'TCP4:127.0.0.1:8081'), '3');
    assert.deepEqual(
      [...exposed.look()],
      [
        [1, { ip: NODE, ports: [{ node: 80, server: 8080 }] }],
        [2, { ip: OTHER, ports: [{ node: 80, server: 8081 }] }],
      ],
      'what could be opened is known, so that it is closed with the others',
    );
    await exposed.set(2, OTHER, []);
    assert.deepEqual([...exposed.look().keys()], [1]);
  });

  it('takes so many connections to all ports together, and more when these have ended', async () => {
    const few = new ExposedPorts(host, 2);
    await using ports = new AsyncDisposableStack();
    ports.defer(() => few.close());
    await few.set(1, NODE, [
      { node: 80, server: 8090 },
      { node: 80, server: 8091 },
    ]);
    await few.set(2, OTHER, [{ node: 80, server: 8092 }]);
    const held = [8090, 8091].map((port) => {
      const [file = '', ...words] = [...inside(host), 'socat', '-', `TCP4:127.0.0.1:${port}`];
      const program = spawn(file, words, { stdio: ['pipe', 'ignore', 'ignore'] });
      programs.push(program);
      return program;
    });
    const connected = async () =>
      (await run([...inside(own), 'ss', '-Htn', 'state', 'established', 'dport = :80'])).trim().split('\n')
        .length === 2;
    await until('both to lead to the node', connected);
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8092'), '');
    held[0]?.stdin?.end();
    await until('room again', async () => (await say('hello', 'TCP4:127.0.0.1:8092')) === '5');
  });

  it('ends a connection to where nobody listens', async () => {
    await exposed.set(1, NODE, [
      { node: 80, server: 8080 },
      { node: 7, server: 8082 },
    ]);
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8082'), '');
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8080'), '5');
  });

  it('ends, with its connections, when it is taken away, and may lead elsewhere then', async () => {
    const argv = [...inside(host), 'socat', '-', 'TCP4:127.0.0.1:8080'];
    const open = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'ignore'] });
    programs.push(open);
    const connected = async () =>
      /:8080\b/.test(await run([...inside(host), 'ss', '-Htn', 'state', 'established']));
    await until('a connection', connected);
    const ended = once(open, 'exit');
    await exposed.set(1, NODE, []);
    await ended;
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8080'), '');
    await exposed.set(2, OTHER, [{ node: 80, server: 8080 }]);
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8080'), '5');
    await exposed.close();
    assert.equal(await say('hello', 'TCP4:127.0.0.1:8080'), '');
  });
});
