import { randomBytes } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import type { Duplex, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { KeyedLock, roomIn, run } from '../../platform/index.ts';
import { isDiskFull } from '../disk-full.ts';
import type { LimitNotes } from '../store/index.ts';
import { imageId, isPodmanError, type PodmanApi } from '../store/index.ts';
import {
  type ContainerState,
  containerList,
  inspection,
  isProgram,
  programInspection,
  removals,
  stateOf,
} from './container-state.ts';

export interface TerminalSize {
  columns: number;
  rows: number;
}

/** Containers of our store, by name. */
export class Containers {
  readonly #api: PodmanApi;
  readonly #limitNotes: LimitNotes;
  /** Where podman keeps them. */
  readonly #folder: string;
  /** What has run in one may be ended by several at once: one after the other, the later ones find nothing. */
  readonly #removing = new KeyedLock();

  constructor(api: PodmanApi, limitNotes: LimitNotes, folder: string) {
    this.#api = api;
    this.#limitNotes = limitNotes;
    this.#folder = folder;
  }

  /** Creates one; `spec` is libpod's SpecGenerator. Answers its name. */
  async create(spec: Record<string, unknown>): Promise<void> {
    await this.#api.call('POST', '/containers/create', spec);
  }

  /** A container that never runs: to read and write an image's files. Answers its name. */
  async createStill(digest: string): Promise<string> {
    const name = `walt-files-${randomBytes(8).toString('hex')}`;
    await this.create({
      image: imageId(digest),
      name,
      entrypoint: ['/bin/true'],
      image_volume_mode: 'ignore',
      // What images say of it may be any word, and podman would refuse it.
      ...{ stop_signal: 15, healthconfig: { Test: ['NONE'] } },
    });
    return name;
  }

  /** Names of all containers, with podman's word for their state. */
  async list(): Promise<Map<string, string>> {
    const list = containerList.parse(await this.#api.call('GET', '/containers/json?all=true'));
    return new Map((list ?? []).map((container) => [container.Names[0] ?? container.Id, container.State]));
  }

  /** Undefined when there is no such container. */
  async inspect(name: string): Promise<ContainerState | undefined> {
    try {
      const found = inspection.parse(await this.#api.call('GET', `${at(name)}/json`));
      return stateOf(found, await this.#limitNotes.read(found.Id));
    } catch (error) {
      if (isPodmanError(error, 404)) return undefined;
      throw error;
    }
  }

  /** Joins its terminal. One that is not running is made ready, but does not run before `start`. */
  attach(name: string): Promise<Duplex> {
    return this.#api.attach(`${at(name)}/attach?stream=true&stdin=true&stdout=true&stderr=true&detachKeys=`);
  }

  /** Makes ready one that is not running: mounts, network, and its process, which waits for `start`. */
  async prepare(name: string): Promise<void> {
    await this.#api.call('POST', `${at(name)}/init`);
  }

  async start(name: string): Promise<void> {
    await this.#api.call('POST', `${at(name)}/start`);
  }

  /**
   * Whether its first program runs, which has just been started: runc answers before it calls that program, and podman hears later
   * that there is none.
   */
  async runs(name: string): Promise<boolean> {
    const first = (await this.inspect(name))?.process;
    for (;;) {
      const words = await readFile(`/proc/${first}/cmdline`, 'latin1').catch(() => '');
      // There are no words of a process that has ended, but neither while the kernel puts a program into one: that has a program.
      if (words === '') return (await readlink(`/proc/${first}/exe`).catch(() => '')) !== '';
      if (words !== RUNC) return true;
      await delay(BEGIN_LOOK);
    }
  }

  async resize(name: string, { columns, rows }: TerminalSize): Promise<void> {
    await this.#api.call('POST', `${at(name)}/resize?w=${columns}&h=${rows}`);
  }

  /** Ends its process; when it resolves, the container's mounts are gone too. Harmless when it has ended. */
  async stop(name: string, seconds: number): Promise<void> {
    const state = await this.inspect(name);
    if (state?.status === 'exited' || state?.status === 'created') return;
    await this.#api.call('POST', `${at(name)}/stop?timeout=${seconds}`);
    await this.ended(name);
  }

  /** Exit status of its process, once it has ended and been cleaned up. */
  async ended(name: string): Promise<number> {
    return z
      .number()
      .parse(await this.#api.call('POST', `${at(name)}/wait?condition=exited&interval=${WAIT_INTERVAL}`));
  }

  /** Prepares one more program in a running container; answers its id. With a terminal, `joinProgram` starts it, else `startProgram`. */
  async addProgram(
    name: string,
    {
      command,
      env,
      terminal = false,
    }: { command: string[]; env: Record<string, string>; terminal?: boolean },
  ): Promise<string> {
    const made = await this.#api.call('POST', `${at(name)}/exec`, {
      ...{ Cmd: command, User: '0:0', WorkingDir: '/', Tty: terminal, DetachKeys: '' },
      ...{ AttachStdin: terminal, AttachStdout: terminal, AttachStderr: terminal },
      Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    });
    return z.object({ Id: z.string() }).parse(made).Id;
  }

  joinProgram(id: string, { columns, rows }: TerminalSize): Promise<Duplex> {
    return this.#api.attach(`/exec/${id}/start`, { Detach: false, Tty: true, w: columns, h: rows });
  }

  async startProgram(id: string): Promise<void> {
    await this.#api.text('POST', `/exec/${id}/start`, JSON.stringify({ Detach: true, Tty: false }));
  }

  async resizeProgram(id: string, { columns, rows }: TerminalSize): Promise<void> {
    await this.#api.call('POST', `/exec/${id}/resize?w=${columns}&h=${rows}`);
  }

  /** Number of an added program's process on this machine; undefined: it does not run. */
  async programProcess(id: string): Promise<number | undefined> {
    const { Running, Pid } = programInspection.parse(await this.#api.call('GET', `/exec/${id}/json`));
    return Running ? Pid || undefined : undefined;
  }

  /** Exit status of a program that was added; undefined when it still runs after `limit` milliseconds. */
  async programEnded(id: string, limit: number): Promise<number | undefined> {
    const end = Date.now() + limit;
    for (;;) {
      const { Running, ExitCode } = programInspection.parse(await this.#api.call('GET', `/exec/${id}/json`));
      if (!Running) return ExitCode;
      if (Date.now() > end) return undefined;
      // podman has no way to wait for it.
      await delay(20);
    }
  }

  /** Kills its processes and removes it, if it is there; on a full disk, too. */
  async remove(name: string): Promise<void> {
    await this.#removing.hold(name, async () => {
      // podman writes while it removes a container, and one that it has half removed is not found again.
      if ((await roomIn(this.#folder)) <= 0) await this.#makeRoom(name);
      try {
        await this.#delete(name);
      } catch (error) {
        if (!isDiskFull(error) || !(await this.#makeRoom(name))) throw error;
        await this.#delete(name);
      }
    });
  }

  /** Deletes what it wrote. Answers whether there was one. */
  async #makeRoom(name: string): Promise<boolean> {
    const found = await this.inspect(name);
    if (!found) return false;
    if (found.status === 'running') await this.#kill(name);
    await run(['find', found.folders.upper, '-xdev', '-mindepth', '1', '-delete']);
    return true;
  }

  async #kill(name: string): Promise<void> {
    await this.#api.call('POST', `${at(name)}/kill?signal=KILL`);
    await this.#api.call('POST', `${at(name)}/wait`);
  }

  async #delete(name: string): Promise<void> {
    const ask = () => this.#api.call('DELETE', `${at(name)}?force=true&timeout=0&v=true`);
    try {
      const answer = await ask().catch(async (error) => {
        // It ends by itself just now, and podman is not done with that.
        if (!isPodmanError(error) || !error.message.includes('container state improper')) throw error;
        await this.ended(name);
        return await ask();
      });
      for (const { Id } of removals.parse(answer) ?? []) await this.#limitNotes.forget(Id);
    } catch (error) {
      if (!isPodmanError(error, 404)) throw error;
    }
  }

  /** Mounts its tree on the server; answers where. */
  async mount(name: string): Promise<string> {
    return (await this.#api.text('POST', `${at(name)}/mount`)).trim();
  }

  async unmount(name: string): Promise<void> {
    await this.#api.call('POST', `${at(name)}/unmount`);
  }

  /** Whether a file is there that may be executed. Links are followed inside the container. */
  async hasProgram(name: string, path: string): Promise<boolean> {
    try {
      const header = await this.#api.header(
        `${at(name)}/archive?path=${encodeURIComponent(path)}`,
        'x-docker-container-path-stat',
      );
      return isProgram(JSON.parse(Buffer.from(header, 'base64').toString('utf8')));
    } catch (error) {
      if (isPodmanError(error, 404)) return false;
      throw error;
    }
  }

  /** Unpacks a tar in an existing folder. podman does it under chroot: no entry or link leads out of the container. */
  async writeArchive(name: string, folder: string, tar: Readable): Promise<void> {
    const path = `${at(name)}/archive?path=${encodeURIComponent(folder)}`;
    await this.#api.upload(path, 'application/x-tar', tar);
  }
}

/** podman looks this often whether a container has ended; its default is 250 ms, which a user feels. */
const WAIT_INTERVAL = '20ms';
/** How runc calls itself in a container, until it calls the first program (proc(5), cmdline). */
const RUNC = 'runc\0init\0';
/** Milliseconds between two looks whether runc has called a container's first program. */
const BEGIN_LOOK = 2;

function at(name: string): string {
  return `/containers/${encodeURIComponent(name)}`;
}
