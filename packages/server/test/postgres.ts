/** Debian's PostgreSQL with a cluster of the test's own, which listens on a Unix socket in its folder alone, or on the loopback too. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, type PostgresPlace, run } from '../src/platform/index.ts';

const DEBIANS = '/usr/lib/postgresql';
/** Milliseconds for a server to come up, be the machine as slow as it likes. */
const PATIENCE = 120_000;

export class TestPostgres implements AsyncDisposable {
  readonly folder: string;
  readonly #programs: string;
  #server: ChildProcess | undefined;
  #options: string[] = [];
  #port = 5432;

  static async start(): Promise<TestPostgres> {
    const versions = (await readdir(DEBIANS)).sort((a, b) => Number(b) - Number(a));
    const folder = await mkdtemp(join(tmpdir(), 'walt-postgres-'));
    const postgres = new TestPostgres(folder, join(DEBIANS, versions[0] ?? '', 'bin'));
    try {
      await run(['chown', 'postgres:postgres', folder]);
      const init = [
        postgres.#program('initdb'),
        '--no-sync',
        '--encoding=UTF8',
        '--locale=C',
        '--username=root',
      ];
      await run([...asPostgres, ...init, '--auth-local=peer', '--auth-host=scram-sha-256', postgres.#data]);
      await postgres.start();
      return postgres;
    } catch (error) {
      await postgres[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(folder: string, programs: string) {
    this.folder = folder;
    this.#programs = programs;
  }

  /** As root, who is a superuser there, by peer authentication. */
  get place(): PostgresPlace {
    return {
      host: this.folder,
      port: this.#port,
      user: 'root',
      database: 'postgres',
      tls: 'disable',
      ca: undefined,
    };
  }

  get url(): string {
    return `postgresql:///postgres?host=${this.folder}`;
  }

  /** Process number of the server. */
  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Processes are killed here, no machine: nothing needs to be on a disk for that. `options`: settings as `name=value`; absent: as before. */
  async start(options = this.#options, port = this.#port): Promise<void> {
    this.#port = port;
    this.#options = options;
    const settings = [
      ...['listen_addresses=', `unix_socket_directories=${this.folder}`, 'dynamic_shared_memory_type=mmap'],
      `port=${port}`,
      ...['shared_buffers=32MB', 'max_connections=20', 'fsync=off', ...options],
    ].flatMap((setting) => ['-c', setting]);
    for (const limit = Date.now() + PATIENCE; ; ) {
      // It ends with the test, also where that is killed.
      const argv = [
        ...asPostgres,
        'setpriv',
        '--pdeathsig',
        'KILL',
        '--',
        this.#program('postgres'),
        '-D',
        this.#data,
      ];
      const [file = '', ...words] = [...argv, ...settings];
      const server = spawn(file, words, { stdio: ['ignore', 'ignore', 'pipe'] });
      let complaint = '';
      server.stderr.on('data', (text) => (complaint = (complaint + text).slice(-4000)));
      this.#server = server;
      while (server.exitCode === null && server.signalCode === null) {
        const ready = await attempt([this.#program('pg_isready'), '--quiet', ...this.#where]);
        if (ready.status === 0) return;
        if (Date.now() > limit) break;
        await delay(20);
      }
      // What a killed server left may end only just now.
      if (Date.now() > limit) throw new Error(`PostgreSQL does not start: ${complaint}`);
      await delay(50);
    }
  }

  /** As an administrator stops it (`fast`), or as the kernel does. */
  async end(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    const server = this.#server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  /** Resolves when nobody works with it any more who was killed. */
  async idle(): Promise<void> {
    const count = "select count(*) from pg_stat_activity where application_name = 'walt-logs'";
    while ((await this.ask(count)) !== '0') await delay(20);
  }

  /** What it answers, as text. */
  async ask(sql: string, database = 'postgres'): Promise<string> {
    const psql = ['psql', '--no-psqlrc', '--tuples-only', '--no-align', '--quiet'];
    const answer = await run([...psql, ...this.#where, '-d', database, '-v', 'ON_ERROR_STOP=1', '-c', sql]);
    return answer.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Shared memory of a server that was killed.
    const segment = (await readFile(join(this.#data, 'postmaster.pid'), 'utf8').catch(() => '')).split(
      '\n',
    )[6];
    await this.end('SIGINT');
    const id = segment?.trim().split(/\s+/)[1];
    if (id) await attempt(['ipcrm', '--shmem-id', id]);
    await rm(this.folder, { recursive: true, force: true });
  }

  get #where(): string[] {
    return ['-h', this.folder, '-p', String(this.#port)];
  }

  get #data(): string {
    return join(this.folder, 'data');
  }

  #program(name: string): string {
    return join(this.#programs, name);
  }
}

const asPostgres = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'];

/** Resolves when a store's database is there, be the machine as slow as it likes. */
export async function there<Store extends { readonly away: boolean }>(
  opening: Promise<Store>,
): Promise<Store> {
  const store = await opening;
  while (store.away) await delay(10);
  return store;
}
