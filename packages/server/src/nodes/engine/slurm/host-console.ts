import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type Log, rarely, readIfPresent, type StreamedProgram } from '../../../platform/index.ts';
import { CONSOLE_LOG_LIMIT } from '../../consoles/index.ts';

/** Ends when its folder goes with the machine. What is typed reaches each machine that follows in the same job. */
const STEP = `cd "$1" || exit
offset=$2
[ "$offset" -le "$(stat -c %s console.log 2>/dev/null || echo 0)" ] || offset=0
tail -c "+$((offset + 1))" -F console.log &
while [ -e "$1" ]; do socat STDIN!!OPEN:/dev/null,append UNIX-CONNECT:console.sock 2>/dev/null; sleep 0.2; done
kill $!`;

/** Bytes that wait for who looks, and for a machine that is typed to. */
const MAX_WAITING = 1024 * 1024;

/** What is the way to the console of a job's machine. */
interface Step {
  job: number;
  program: StreamedProgram;
  /** It is ended by us. */
  isLeft: boolean;
}

interface Files {
  /** What the console printed, on the server. */
  log: string;
  /** `JOB OFFSET`: how far the file on the host is in it. */
  read: string;
  /** Unix socket for who types and looks, one at a time. */
  socket: string;
}

interface Deps {
  files: Files;
  /** Folder of the machine on its host. */
  folder: string;
  /** Runs a command beside a job. */
  beside(job: number, argv: readonly string[]): StreamedProgram;
  /** Bounds what consoles printed. A host sends as much as it likes, also where its machine cannot. */
  cap(): Promise<void>;
  log: Log;
}

/**
 * The console of a machine on another host, as if it was here: what it prints comes into a file, each byte once, whoever is restarted
 * meanwhile; QEMU writes it down on the host. A program of Slurm's is the way there, as long as the job runs.
 */
export class HostConsole {
  readonly #deps: Deps;
  readonly #warn: Log['warn'];
  readonly #server: Server;
  /** The first of them is served; the others wait, as at QEMU's own socket. */
  readonly #clients: Socket[] = [];
  #step: Step | undefined;
  #closed = false;

  private constructor(deps: Deps) {
    this.#deps = deps;
    this.#warn = rarely(deps.log.warn);
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#welcome(socket));
  }

  static async open(deps: Deps): Promise<HostConsole> {
    const { socket, log } = deps.files;
    await mkdir(dirname(log), { recursive: true, mode: 0o700 });
    await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
    await rm(socket, { force: true });
    const made = new HostConsole(deps);
    await new Promise<void>((resolve, reject) => {
      made.#server.on('error', reject).listen(socket, resolve);
    });
    return made;
  }

  /** Sees to it that the console of this job's machine is read. Undefined: there is none just now. */
  attach(job: number | undefined): void {
    if (this.#closed || this.#step?.job === job) return;
    if (this.#step) this.#leave(this.#step);
    else if (job !== undefined) void this.#follow(job);
  }

  #leave(step: Step): void {
    step.isLeft = true;
    step.program.kill();
  }

  async #follow(job: number): Promise<void> {
    try {
      const reached = await this.#reached(job);
      if (this.#closed || this.#step) return;
      const { folder, beside } = this.#deps;
      const program = beside(job, ['bash', '-c', STEP, 'console', folder, String(reached)]);
      this.#step = { job, program, isLeft: false };
      await this.#read(this.#step, reached);
    } catch (error) {
      this.#warn('the console of a machine cannot be read', { job, error: String(error) });
    }
  }

  /** How far that job's console was read already, in bytes. */
  async #reached(job: number): Promise<number> {
    const [known, offset = '0'] = ((await readIfPresent(this.#deps.files.read)) ?? '').split(' ');
    return Number(known) === job ? Number(offset) : 0;
  }

  async #read(step: Step, from: number): Promise<void> {
    const { files, cap } = this.#deps;
    let reached = from;
    let written = 0;
    try {
      for await (const chunk of step.program.stdout as AsyncIterable<Buffer>) {
        await appendFile(files.log, chunk, { mode: 0o600 });
        written += chunk.length;
        if (written > CONSOLE_LOG_LIMIT) {
          await cap();
          written = 0;
        }
        reached += chunk.length;
        await writeFile(files.read, `${step.job} ${reached}`, { mode: 0o600 });
        this.#show(chunk);
      }
    } catch (error) {
      if (!step.isLeft) throw error;
    } finally {
      this.#step = undefined;
      // As at the end of a QEMU here: who looks comes back.
      this.#clients[0]?.end();
    }
  }

  /** Who does not take what comes must not keep it from being written down. */
  #show(chunk: Buffer): void {
    const [client] = this.#clients;
    if (client && client.writableLength > MAX_WAITING) client.destroy();
    else client?.write(chunk);
  }

  /** Who types more than the machine takes is cut off: what waits is in the server's memory. */
  #type(client: Socket, typed: Buffer): void {
    const { stdin } = this.#step?.program ?? {};
    if (stdin && stdin.writableLength > MAX_WAITING) client.destroy();
    else stdin?.write(typed);
  }

  #welcome(socket: Socket): void {
    this.#clients.push(socket);
    socket.on('error', () => {}); // its end tells
    socket.on('data', (typed: Buffer) => this.#type(socket, typed));
    socket.once('close', () => {
      const at = this.#clients.indexOf(socket);
      this.#clients.splice(at, 1);
      if (at === 0) this.#clients[0]?.resume();
    });
    if (this.#clients[0] === socket) socket.resume();
  }

  close(): void {
    this.#closed = true;
    if (this.#step) this.#leave(this.#step);
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }
}
