/** A node and a server of logs for tests: the node's programs are the real ones, in a root and namespaces of their own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesOfIdentity } from '../../server/src/boot/lending/index.ts';

const NODE_FILES = fileURLToPath(new URL('..', import.meta.url));
/** Milliseconds of a tick of /proc: USER_HZ is 100 wherever Linux runs. */
const TICK = 10;
const BUSYBOX = 'usr/lib/walt/bin/busybox';

/** What the kernel mounts on a node, then what init does for logs. */
const START = `
mount -t tmpfs dev "$0/dev" && mount -t proc proc "$0/proc" && mkdir "$0/dev/pts" || exit
mount -t devpts -o newinstance,ptmxmode=666 devpts "$0/dev/pts" && ln -s pts/ptmx "$0/dev/ptmx" || exit
mknod -m 666 "$0/dev/null" c 1 3 && mknod -m 666 "$0/dev/zero" c 1 5 && mknod -m 666 "$0/dev/tty" c 5 0 || exit
exec chroot "$0" /bin/sh -c '
  export PATH=/bin
  . /walt-log-spool
  /walt-log-sender < /dev/null 2> /dev/null &
  echo ready
  while read -r _; do :; done
'`;

export interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Its programs begin when it is started; it ends, with all that runs on it, when it is disposed of. */
export class LogNode implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'walt-log-node-'));
  #init: ChildProcess | undefined;
  #pid = '';

  /** answerLimit: seconds that the sender waits for the server. */
  constructor({ answerLimit = 30 } = {}) {
    for (const folder of ['dev', 'proc', 'bin', 'tmp']) mkdirSync(join(this.folder, folder));
    cpSync(join(NODE_FILES, 'layer'), this.folder, { recursive: true });
    cpSync('/bin/busybox', join(this.folder, BUSYBOX));
    for (const name of ['busybox', 'sh']) symlinkSync(`/${BUSYBOX}`, join(this.folder, 'bin', name));
    for (const one of filesOfIdentity({ bin: 'bin' })) {
      if (one.type !== 'link') continue;
      mkdirSync(dirname(join(this.folder, one.path)), { recursive: true });
      symlinkSync(one.target, join(this.folder, one.path));
    }
    for (const name of ['walt-log-spool', 'walt-log-sender']) {
      const text = readFileSync(join(NODE_FILES, 'initramfs', name), 'utf8');
      writeFileSync(
        join(this.folder, name),
        text.replace(/^ANSWER_LIMIT=\d+/m, `ANSWER_LIMIT=${answerLimit}`),
        {
          mode: 0o755,
        },
      );
    }
    execFileSync('chmod', ['-R', 'a+rX', this.folder]);
    execFileSync('chmod', ['1777', join(this.folder, 'tmp')]);
  }

  /** logs: address of the server, with its port. */
  async start(logs: string): Promise<void> {
    const isolated = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const init = spawn('unshare', [...isolated, 'sh', '-c', START, this.folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, logs },
    });
    this.#init = init;
    const [said] = await Promise.race([once(init.stdout, 'data'), once(init, 'exit')]);
    if (String(said) !== 'ready\n') throw new Error(`the node did not start: ${said}`);
    this.#pid = readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8').trim();
  }

  /** Runs a shell script on the node; with `terminal`, on one of its own (script(1)). */
  spawn(script: string, { user = 0, terminal = false } = {}): ChildProcess {
    const argv = [
      ...['nsenter', `--target=${this.#pid}`, '--mount', '--pid', '--root', '--wd=/'],
      ...(user === 0 ? [] : [`--setuid=${user}`, `--setgid=${user}`]),
      ...['/bin/sh', '-c', script],
    ];
    const line = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const [file = '', ...args] = terminal
      ? ['script', '--quiet', '--return', '--flush', '--command', line, '/dev/null']
      : argv;
    return spawn(file, args, { env: { PATH: '/bin' } });
  }

  async run(script: string, options: { user?: number; input?: string | Buffer } = {}): Promise<Result> {
    const child = this.spawn(script, options);
    const told = { stdout: '', stderr: '' };
    child.stdout?.setEncoding('latin1').on('data', (text) => {
      told.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      told.stderr += text;
    });
    // The program may end before it has read all.
    child.stdin?.on('error', () => {}).end(options.input ?? '');
    const [status] = await once(child, 'close');
    return { status, ...told };
  }

  /** Milliseconds of processors that its programs took until now; those that ended count when somebody waited for them. */
  spent(): number {
    const space = readlinkSync(`/proc/${this.#pid}/ns/pid`);
    let ticks = 0;
    for (const process of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${process}/ns/pid`) !== space) continue;
        const fields = readFileSync(`/proc/${process}/stat`, 'latin1')
          .replace(/^.*\) /s, '')
          .split(' ');
        // utime, stime, cutime, cstime (proc_pid_stat(5)).
        for (const field of fields.slice(11, 15)) ticks += Number(field);
      } catch {
        // It has ended meanwhile.
      }
    }
    return ticks * TICK;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const init = this.#init;
    if (init && init.exitCode === null && init.signalCode === null) {
      init.kill('SIGKILL');
      await once(init, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Line {
  /** As it was sent: with @ when the server keeps it. */
  time: string;
  stream: string;
  /** Bytes as latin1. */
  text: string;
}

/** How the server answers a question: as it should, or in one of the ways in which it fails. */
export type Mood = 'ok' | 'half' | 'lost answer' | 'lost question' | 'busy' | 'silent';

const BODY_LIMIT = 256 * 1024;

/** Keeps what nodes send, by the rules of the protocol. */
export class LogServer extends EventEmitter<{ stored: []; asked: [Mood] }> {
  /** What is on disk, by spool. */
  readonly spools = new Map<string, Buffer>();
  /** What was against the protocol. */
  readonly wrong: string[] = [];
  mood: () => Mood = () => 'ok';
  #server = createServer((request, response) => this.#take(request, response));
  #port: number;
  readonly #address: string;

  /** port: 0 for a free one, which is kept. */
  constructor(address = '127.0.0.1', port = 0) {
    super();
    this.#address = address;
    this.#port = port;
  }

  async listen(): Promise<string> {
    this.#server.listen(this.#port, this.#address);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.#port = address.port;
    return `${this.#address}:${this.#port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** All lines, in the order in which they were sent. */
  lines(): Line[] {
    return [...this.spools.values()].flatMap((bytes) =>
      bytes
        .toString('latin1')
        .split('\n')
        .filter((record) => record !== '')
        .map((record) => {
          const [, time = '', stream = '', text = record] =
            /^(@?\d+\.\d{6}) ([\w.:/+@-]{1,128}) (.*)$/s.exec(record) ?? [];
          return { time, stream, text };
        }),
    );
  }

  /** Texts of a stream. */
  of(stream: string): string[] {
    return this.lines().flatMap((line) => (line.stream === stream ? [line.text] : []));
  }

  /** Waits until what is stored is enough. */
  async until(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) await once(this, 'stored');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://server');
    const spool = url.searchParams.get('spool') ?? '';
    const from = Number(url.searchParams.get('from'));
    const mood = this.mood();
    this.emit('asked', mood);
    if (mood === 'lost question') return void request.socket.destroy();
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      // The connection was lost, as some are here.
      return;
    }
    const body = Buffer.concat(chunks);
    if (request.method !== 'POST' || url.pathname !== '/node/log')
      this.wrong.push(`${request.method} ${request.url}`);
    if (!/^[A-Za-z0-9_-]{1,80}\.\d{1,15}$/.test(spool)) this.wrong.push(`spool ${spool}`);
    if (!/^\d{10}\.\d{6}$/.test(String(request.headers['x-walt-clock']))) this.wrong.push('x-walt-clock');
    if (body.length === 0 || body.length > BODY_LIMIT) this.wrong.push(`${body.length} bytes`);
    if (body.at(-1) !== 10) this.wrong.push('a record without an end');
    if (mood === 'busy') return void response.writeHead(503).end();
    const had = this.spools.get(spool) ?? Buffer.alloc(0);
    if (from > had.length) this.wrong.push(`${spool} from ${from}, had ${had.length}`);
    // Half: whole records until the middle.
    const take = mood === 'half' ? body.subarray(0, body.lastIndexOf(10, body.length / 2) + 1) : body;
    const kept = Buffer.concat([had, take.subarray(Math.max(0, had.length - from))]);
    this.spools.set(spool, kept);
    if (mood === 'lost answer') request.socket.destroy();
    else if (mood !== 'silent') response.end(`${kept.length}\n`);
    this.emit('stored');
  }
}
