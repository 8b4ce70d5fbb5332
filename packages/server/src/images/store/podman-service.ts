/**
 * podman's service for its REST API: started when somebody asks, ended when nobody has for a while. We end it ourselves: it would not
 * see a request that arrives as it ends by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, ExternalError, type Paths } from '../../platform/index.ts';
import type { Store } from './store.ts';
import { noteNetworks } from './stray-networks.ts';

/** Milliseconds without a request after which podman's service is ended; containers do not depend on it. */
const IDLE = 60_000;
/** Milliseconds for the service to come up. */
const START_LIMIT = 60_000;
/** Milliseconds for the service to end. */
const STOP_LIMIT = 500;

export class PodmanService {
  readonly socket: string;
  readonly #paths: Paths;
  readonly #log: string;
  readonly #store: Store;
  readonly #idleLimit: number;
  #starting: Promise<void> | undefined;
  #process: ChildProcess | undefined;
  /** Connections to it. */
  #open = 0;
  #idle: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;
  #closed = false;

  constructor(paths: Paths, store: Store, idleLimit = IDLE) {
    this.#idleLimit = idleLimit;
    this.#paths = paths;
    // Its own: the service of a server that was killed still listens while it ends, and answers nobody.
    this.socket = `${paths.podmanSocket}.${randomBytes(4).toString('hex')}`;
    this.#log = join(paths.logs, 'podman.log');
    this.#store = store;
  }

  /** Resolves when it listens. Throws ExternalError once it was closed: whoever waits for an end then shall start no other. */
  async ensure(): Promise<void> {
    if (this.#closed) throw new ExternalError(['podman', 'system', 'service'], null, 'the server ends');
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /** One that is ending still answers: resolves when it does no more. */
  async ended(): Promise<void> {
    await this.#ending;
  }

  /** A connection to it is used from now on; the answer is called at its end. */
  use(): () => void {
    clearTimeout(this.#idle);
    this.#open += 1;
    return () => {
      this.#open -= 1;
      if (this.#open > 0) return;
      const end = () => {
        // For a request that found none: it comes as soon as the service is up.
        if (this.#starting) return;
        this.#ending = this.#end().finally(() => {
          this.#ending = undefined;
        });
      };
      this.#idle = setTimeout(end, this.#idleLimit).unref();
    };
  }

  /** Ends it if we started it, and with it all attachments; containers live on. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#starting?.catch(() => {});
    await this.#ending;
    await this.#end();
  }

  async #end(): Promise<void> {
    const service = this.#process;
    if (!service || service.exitCode !== null || service.signalCode !== null) return;
    service.ref();
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    // It waits for attachments to end, which may be never.
    const timer = setTimeout(() => service.kill('SIGKILL'), STOP_LIMIT);
    await ended;
    clearTimeout(timer);
    await rm(this.socket, { force: true });
  }

  /** Sockets of services that are gone. */
  async #removeStale(): Promise<void> {
    const folder = dirname(this.socket);
    const [ours = ''] = basename(this.socket).split(/\.(?=[^.]*$)/);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (name.startsWith(`${ours}.`) && !(await answers({ path }))) await rm(path, { force: true });
    }
  }

  async #start(): Promise<void> {
    // One that is ending still answers.
    await this.#ending;
    if (await answers({ path: this.socket })) return;
    await mkdir(dirname(this.socket), { recursive: true });
    await mkdir(dirname(this.#log), { recursive: true });
    await this.#removeStale();
    await noteNetworks(this.#paths);
    const { argv, env, cwd } = this.#store.podman(
      'system',
      'service',
      '--time',
      '0',
      `unix://${this.socket}`,
    );
    // A server that is killed takes the service with it, so that none is left when the platform is stopped.
    const [file, ...args] = ['setpriv', '--pdeathsig', 'TERM', '--', ...argv] as const;
    const log = openSync(this.#log, 'a', 0o640);
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
      cwd,
    });
    closeSync(log);
    child.unref();
    this.#process = child;
    let ended: string | undefined;
    child.once('error', (error) => {
      ended = error.message;
    });
    child.once('exit', (status) => {
      ended ??= `ended with status ${status}, see ${this.#log}`;
    });
    const limit = Date.now() + START_LIMIT;
    // podman has no way to tell that it listens: ask the socket.
    while (!(await answers({ path: this.socket }))) {
      if (ended !== undefined || Date.now() > limit) {
        throw new ExternalError(argv, null, ended ?? `does not answer after ${START_LIMIT / 1000} s`);
      }
      await delay(10);
    }
  }
}
