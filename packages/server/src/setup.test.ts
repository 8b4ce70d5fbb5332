import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { attempt, namespaceFile, run } from './platform/index.ts';
import { withNetwork } from './setup.ts';

describe('withNetwork', () => {
  const subnet = '10.73.0.0/16';
  const cases: [what: string, text: string, interfaces: string[], subnet: string, expected: string][] = [
    ['nothing new', '', [], subnet, ''],
    ['a first adapter', '', ['lab0'], subnet, 'network:\n  interfaces:\n    - lab0\n'],
    ['only a subnet', '', [], '10.9.0.0/24', 'network:\n  subnet: 10.9.0.0/24\n'],
    [
      'other keys and comments',
      '# ours\nstate: /srv/walt # large\nnetwork:\n  namespace: lab # short\n',
      ['lab0', 'lab1.5'],
      subnet,
      '# ours\nstate: /srv/walt # large\nnetwork:\n  namespace: lab # short\n  interfaces:\n    - lab0\n    - lab1.5\n',
    ],
    [
      'a comment alone',
      '# nothing yet\n',
      ['lab0'],
      subnet,
      '# nothing yet\n\nnetwork:\n  interfaces:\n    - lab0\n',
    ],
    [
      'what was accepted',
      'network: { interfaces: [{ name: lab0, accept-in-use: true }] }\n',
      ['lab0', 'lab1'],
      subnet,
      'network: { interfaces: [ { name: lab0, accept-in-use: true }, lab1 ] }\n',
    ],
    [
      'the same again',
      'network: {interfaces: [lab0],   subnet: 10.9.0.0/24}\n',
      ['lab0'],
      '10.9.0.0/24',
      'network: { interfaces: [ lab0 ], subnet: 10.9.0.0/24 }\n',
    ],
  ];
  for (const [what, text, interfaces, own, expected] of cases) {
    it(what, () => assert.equal(withNetwork(text, { interfaces, subnet: own }), expected));
  }
});

describe('walt-server setup', () => {
  // Plays the host: a free adapter, and one in use.
  const namespace = `ws${process.pid}`;
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-setup-'));
    file = join(folder, 'server.conf');
    await run(['ip', 'netns', 'add', namespace]);
    const inside = ['ip', '-netns', namespace];
    await run([...inside, 'link', 'add', 'lab0', 'type', 'veth', 'peer', 'name', 'lab1']);
    await run([...inside, 'address', 'add', '192.0.2.7/24', 'dev', 'lab1']);
  });
  beforeEach(() => rm(file, { force: true }));
  after(async () => {
    await attempt(['ip', 'netns', 'delete', namespace]);
    await rm(folder, { recursive: true, force: true });
  });

  const command = (...words: string[]) => [
    ...['nsenter', `--net=${namespaceFile(namespace)}`, '--', process.execPath],
    ...[join(import.meta.dirname, 'admin.ts'), '--config', file, 'setup', ...words],
  ];
  // Each starts a whole program; the limit ends only what hangs.
  const setup = (...words: string[]) => attempt(command(...words), { timeout: 600_000 });
  const content = () => readFile(file, 'utf8').catch(() => 'none');

  it('shows what it would write, and writes it when it is told to', async () => {
    const shown = await setup('--interface', 'lab0');
    assert.equal(shown.status, 1, shown.stderr);
    assert.match(shown.stdout, /^ {2}network:\n {4}interfaces:\n {6}- lab0$/m);
    assert.match(shown.stderr, /Nothing was written\.\n {2}→ .*--yes/);
    assert.equal(await content(), 'none');
    const written = await setup(
      '--interface',
      'lab0',
      '--interface',
      'lab1.5',
      '--subnet',
      '10.9.0.0/24',
      '--yes',
    );
    assert.equal(written.status, 0, written.stderr);
    const expected = 'network:\n  interfaces:\n    - lab0\n    - lab1.5\n  subnet: 10.9.0.0/24\n';
    assert.equal(await content(), expected);
    const emptied = await setup('--interface', '', '--yes');
    assert.match(emptied.stdout, /It is written/, emptied.stderr);
    assert.equal(await content(), 'network:\n  interfaces: []\n  subnet: 10.9.0.0/24\n');
  });

  it('keeps who may read the file, and the place of one that is a link', async () => {
    const real = join(folder, 'real.conf');
    await writeFile(real, 'registries: []\n');
    await chmod(real, 0o640);
    await symlink(real, file);
    const { status, stderr } = await setup('--interface', 'lab0', '--yes');
    assert.equal(status, 0, stderr);
    assert.equal(await readFile(real, 'utf8'), 'registries: []\nnetwork:\n  interfaces:\n    - lab0\n');
    assert.equal((await stat(real)).mode & 0o777, 0o640);
  });

  const refused: [words: string[], message: RegExp][] = [
    [['--interface', 'lab1'], /lab1 carries the address 192\.0\.2\.7/],
    [['--interface', 'lab9'], /There is no adapter lab9 .*\n {2}→ It has .*lab0.* Name another one/],
    [['--interface', 'lab9.7'], /There is no adapter lab9 /],
    [['--interface', 'lab0.5000'], /: lab0\.5000: the VLAN id 5000 is not one of.*\n {2}→ Name adapters/],
    [['--interface', '../lab0'], /is no name of an adapter/],
    [['--subnet', '10.9.0.0/30'], /prefix of 30 bits/],
    [['--subnet', 'here'], /: "here" is no subnet\.\n {2}→ .*10\.73\.0\.0\/16/],
    [['--subnet', '10.9.0.0/33'], /prefix of 33 bits/],
    [['--subnet', '10.9.0.999/24'], /: "10\.9\.0\.999\/24" is no subnet/],
    [[], /no terminal to ask at/],
  ];
  for (const [words, message] of refused) {
    it(`refuses ${words.join(' ') || 'to guess'}`, async () => {
      const { status, stderr } = await setup(...words, '--yes');
      assert.equal(status, 1);
      assert.match(stderr, message);
      assert.equal(await content(), 'none');
    });
  }

  it('touches no file that it does not understand', async () => {
    await writeFile(file, 'network: [\n');
    const { status, stderr } = await setup('--interface', 'lab0', '--yes');
    assert.equal(status, 1);
    assert.match(stderr, /not valid YAML/);
    assert.equal(await content(), 'network: [\n');
  });

  /** Somebody at a terminal (script(1)): reads until a text stands there, then types. */
  class Screen {
    #text = '';
    readonly #child: ChildProcess;
    /** Status, once it has ended and all that it said was read. */
    readonly #end: Promise<number | null>;
    #isOver = false;
    #wake = () => {};
    constructor(argv: string[]) {
      const words = ['--quiet', '--return', '--command', argv.join(' '), '/dev/null'];
      this.#child = spawn('script', words, { stdio: ['pipe', 'pipe', 'inherit'] });
      this.#child.stdin?.on('error', () => {}); // it has ended: `close` follows
      this.#child.stdout?.on('data', (chunk) => {
        this.#text += chunk;
        this.#wake();
      });
      this.#end = once(this.#child, 'close').then(([status]) => {
        this.#isOver = true;
        this.#wake();
        return status;
      });
    }
    async answer(prompt: string, line: string): Promise<void> {
      while (!this.#text.includes(prompt)) {
        if (this.#isOver) throw new Error(`it ended: ${this.#text}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      this.#text = this.#text.slice(this.#text.indexOf(prompt) + prompt.length);
      this.#child.stdin?.write(line);
    }
    async ended(): Promise<[status: number | null, rest: string]> {
      return [await this.#end, this.#text];
    }
  }

  it('asks at a terminal, again after a bad answer, and writes when that is confirmed', async () => {
    const screen = new Screen(command());
    await screen.answer('lab0 is free.', '');
    await screen.answer('[none]: ', 'lab1\r');
    await screen.answer('lab1 carries the address', '');
    await screen.answer('[none]: ', 'lab0\r');
    await screen.answer('[10.73.0.0/16]: ', 'lab0\r');
    await screen.answer('"lab0" is no subnet', '');
    await screen.answer('[10.73.0.0/16]: ', '10.9.0.0/24\r');
    await screen.answer('- lab0', '');
    await screen.answer('(y/n): ', 'perhaps\r');
    await screen.answer('(y/n): ', 'y\r');
    const [status, rest] = await screen.ended();
    assert.equal(status, 0, rest);
    assert.equal(await content(), 'network:\n  interfaces:\n    - lab0\n  subnet: 10.9.0.0/24\n');
  });

  it('writes nothing for who says no, or leaves', async () => {
    for (const last of ['n\r', '\u0004', '\u0003']) {
      const screen = new Screen(command('--interface', 'lab0', '--subnet', '10.9.0.0/24'));
      await screen.answer('(y/n): ', last);
      const [status, rest] = await screen.ended();
      assert.equal(status, 1, rest);
      assert.match(rest, /Nothing was written/);
      assert.equal(await content(), 'none');
    }
  });
});
