import { randomBytes } from 'node:crypto';
import { fullName, type NamedImage, type Progress } from '@walt/contract';
import { type ContainerLimits, KeyedLock, UserError } from '../../platform/index.ts';
import { textOf } from '../../trees/index.ts';
import { runsNatively, serverArchitecture } from '../architectures.ts';
import type { Expected, SessionRow } from '../catalogue/index.ts';
import type { ContainerState, TerminalSize } from '../containers/index.ts';
import {
  INIT_START,
  initSpec,
  requireAccountFiles,
  STOP_LIMIT,
  shellContainerName,
  shellSpec,
} from '../containers/index.ts';
import { refusalOf } from '../layers/index.ts';
import { withReports } from '../progress.ts';
import type { Change } from '../saves/index.ts';
import { commitChange, inspectContainer, lostChanges, type SaveParts } from '../saves/index.ts';
import { isPodmanError, limitNote } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';
import { bringsInit, hasInit, joinInit, shutDown } from './image-init.ts';
import type { SessionChanges, SessionRecord, Terminal } from './session.ts';
import { joinTerminal } from './terminal.ts';

/** Paths that `changes` tells as examples. */
const SAMPLE = 20;

interface Deps extends SaveParts {
  limits: ContainerLimits;
  /** Makes binaries of an architecture run here. */
  emulate(architecture: ImageRecord['architecture']): Promise<void>;
}

/**
 * Shell sessions: containers of an image whose only process is a shell, or the image's own init if it brings the programs for
 * that. A session is a row of the database and a container;
 * neither depends on the server's life. It ends when it is saved or discarded, and in no other way.
 */
export class ShellSessions {
  readonly #deps: Deps;
  /** Whether an image brings an init for its shell, by digest: that stays as it is, so a container is asked once. */
  readonly #withInit = new Map<string, boolean>();
  readonly #attached = new Set<string>();
  /** What is done to one session is done one at a time. */
  readonly #lock = new KeyedLock();
  /** Whose changes are told has them looked at in one shell at a time: much is held in memory for it. */
  readonly #inspecting = new KeyedLock();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** `owner/name` of the images with a session. */
  async images(): Promise<ReadonlySet<string>> {
    return new Set((await this.#deps.catalogue.sessions()).map(fullName));
  }

  /** All sessions that run or wait to be saved, oldest first. */
  async list(): Promise<SessionRecord[]> {
    const rows = await this.#deps.catalogue.sessions();
    return Promise.all(
      rows.map(async (row) => this.#describe(row, await this.#deps.containers.inspect(row.container))),
    );
  }

  /** Throws UserError NOT_FOUND. */
  async get(id: string): Promise<SessionRecord> {
    const row = await this.#row(id);
    return this.#describe(row, await this.#deps.containers.inspect(row.container));
  }

  /**
   * Starts a session; its shell runs from the first attachment on. Throws UserError CONFLICT when the user has one on that
   * image, UNAVAILABLE when the server cannot run its binaries.
   */
  async open(user: string, image: ImageRecord): Promise<SessionRecord> {
    const { catalogue, containers, emulate, limits, room } = this.#deps;
    await room.require();
    if (isEmulated(image.architecture)) await emulate(image.architecture);
    const id = randomBytes(8).toString('hex');
    const { owner, name, digest } = image;
    const opened = Math.floor(Date.now() / 1000);
    // The row first: a container without one is removed at the next start.
    const row = { id, user, owner, name, digest, container: shellContainerName(id), opened };
    await catalogue.addSession(row);
    try {
      const session = { id, digest, image: fullName(row), limits };
      const known = this.#withInit.get(digest);
      await containers.create(known ? initSpec(session) : shellSpec(session));
      const init = known ?? (await bringsInit(containers, row.container));
      if (init && !known) {
        await containers.remove(row.container);
        await containers.create(initSpec(session));
      }
      this.#withInit.set(digest, init);
      // While the client still opens its terminal: it is most of the way to a prompt. What fails now fails at `attach` again.
      if (!init) this.#prepare(row.container).catch(() => {});
      return await this.#describe(row, { status: 'created', entrypoint: init ? INIT_START : '' });
    } catch (error) {
      await catalogue.removeSession(id);
      // Where even that fails, the next start removes it.
      await containers.remove(row.container).catch(() => {});
      throw error;
    }
  }

  /** What the session changed so far. Throws UserError NOT_FOUND. */
  async changes(id: string): Promise<SessionChanges> {
    const row = await this.#row(id);
    const { state, verdict } = await this.#inspecting.hold(row.user, () =>
      inspectContainer(this.#deps, row.container, row.digest),
    );
    const { changes } = verdict;
    const count = (kind: Change['kind']) => changes.filter((change) => change.kind === kind).length;
    return {
      added: count('A'),
      modified: count('M'),
      deleted: count('D'),
      sample: changes.slice(0, SAMPLE).map(({ kind, path }) => `${kind} ${textOf(path)}`),
      lost: await lostChanges(state, verdict),
      note: limitNote('Something in the shell', state.counted, this.#deps.limits) ?? null,
      refusal: refusalOf(verdict.refused) ?? null,
    };
  }

  /**
   * Saves what the user changed as a new layer, points `target` there, and ends the session. Ends its shell if it still runs.
   * Without a change, nothing is saved. Killed at any point, the session is either saved or still there.
   * Throws UserError CONFLICT when the session's own image was changed or removed by somebody else, or another one is not what was
   * to be `replaced`; UNAVAILABLE when the disk is full.
   */
  save(
    user: string,
    id: string,
    target: NamedImage,
    replaced: Expected = 'any',
  ): AsyncGenerator<Progress, { image: ImageRecord; changed: boolean }> {
    return withReports((report) =>
      this.#lock.hold(id, async () => {
        const { catalogue, containers } = this.#deps;
        const row = await this.#row(id);
        const own = target.owner === row.owner && target.name === row.name;
        const expected = own ? { digest: row.digest } : replaced;
        await catalogue.check(target, expected);
        report('Looking for what has changed');
        const state = await containers.inspect(row.container);
        if (hasInit(state)) await shutDown(containers, row.container);
        else await containers.stop(row.container, STOP_LIMIT);
        const { record: saved } = await commitChange(this.#deps, {
          ...{ container: row.container, base: row.digest, createdBy: 'walt image shell', report },
          point: (record) =>
            catalogue.point(target, record, expected, { user, action: 'shell', from: [row] }, id),
        });
        if (!saved) await catalogue.removeSession(id);
        await containers.remove(row.container);
        return {
          image: saved ? { ...target, ...saved } : await this.#unchanged(row),
          changed: saved !== undefined,
        };
      }),
    );
  }

  /** Ends the session, its shell and all that was changed in it. Throws UserError NOT_FOUND. */
  async discard(id: string): Promise<void> {
    await this.#lock.hold(id, async () => {
      const row = await this.#row(id);
      // First what takes room: on a full disk, the database can only forget the session once that is gone.
      await this.#deps.containers.remove(row.container);
      await this.#deps.catalogue.removeSession(id);
    });
  }

  /**
   * Joins the session's terminal; a shell that has ended is started again in the same container.
   * Throws UserError CONFLICT while somebody is attached, UNAVAILABLE when the image has no shell.
   */
  async attach(id: string, size: TerminalSize): Promise<Terminal> {
    return this.#lock.hold(id, async () => {
      const row = await this.#row(id);
      if (this.#attached.has(id)) {
        throw new UserError(
          'CONFLICT',
          `A terminal is attached to the session on image "${fullName(row)}" already.`,
          'Leave that one first.',
        );
      }
      // The machine may have been restarted since: what emulates foreign binaries ended with it.
      const image = await this.#deps.catalogue.digest(row.digest);
      if (image && isEmulated(image.architecture)) await this.#deps.emulate(image.architecture);
      const terminal = await this.#join(row, size).catch(async (error: unknown) => {
        // Its shell ended while we joined it: then it is started again.
        if (!isPodmanError(error) || (await this.#settled(row))?.status === 'running') throw error;
        return this.#join(row, size);
      });
      // It may have closed while we joined it.
      if (!terminal.stream.closed) {
        this.#attached.add(id);
        terminal.stream.once('close', () => this.#attached.delete(id));
      }
      return this.#guarded(row, terminal);
    });
  }

  /** Ends the shell when the disk is nearly full: what it changed stays. */
  #guarded({ container }: SessionRow, terminal: Terminal): Terminal {
    const { containers, room } = this.#deps;
    let full = false;
    const watch = room.watch(() => {
      full = true;
      containers.stop(container, STOP_LIMIT).catch(() => {});
    });
    terminal.stream.once('close', () => watch[Symbol.dispose]());
    const exited = terminal.exited.finally(() => {
      if (full) throw room.failure('The shell was ended; the session waits, with all its changes.');
    });
    exited.catch(() => {});
    return { ...terminal, exited };
  }

  async #join(row: SessionRow, size: TerminalSize): Promise<Terminal> {
    const { containers } = this.#deps;
    const state = await this.#settled(row);
    await requireAccountFiles(containers, row.container, state);
    const join = hasInit(state) ? joinInit : joinTerminal;
    return join(containers, row.container, fullName(row), size, state?.status === 'running');
  }

  /** What its container is, once podman is no longer busy with its end. */
  async #settled({ container }: SessionRow): Promise<ContainerState | undefined> {
    const { containers } = this.#deps;
    const state = await containers.inspect(container);
    if (state?.status !== 'stopped' && state?.status !== 'stopping') return state;
    await containers.ended(container);
    return containers.inspect(container);
  }

  /** Brings rows and containers together after a crash: neither stays without the other. */
  async recover(): Promise<void> {
    const { catalogue, containers } = this.#deps;
    const [rows, states] = [await catalogue.sessions(), await containers.list()];
    for (const row of rows) {
      if (!states.has(row.container)) await catalogue.removeSession(row.id);
    }
    if (!(await catalogue.mayCollect())) return;
    const known = new Set(rows.map((row) => row.container));
    for (const name of states.keys()) {
      if (!known.has(name)) await containers.remove(name);
    }
  }

  async #prepare(container: string): Promise<void> {
    await requireAccountFiles(this.#deps.containers, container);
    await this.#deps.containers.prepare(container);
  }

  async #row(id: string): Promise<SessionRow> {
    const row = (await this.#deps.catalogue.sessions()).find((session) => session.id === id);
    if (row) return row;
    throw new UserError(
      'NOT_FOUND',
      `There is no shell session ${id}.`,
      'It was saved or discarded meanwhile.',
    );
  }

  async #describe(
    row: SessionRow,
    container: Pick<ContainerState, 'status' | 'entrypoint'> | undefined,
  ): Promise<SessionRecord> {
    const status = container?.status;
    const image = await this.#deps.catalogue.digest(row.digest);
    const architecture = image?.architecture ?? serverArchitecture();
    return {
      ...{ id: row.id, user: row.user, image: fullName(row), architecture },
      emulated: isEmulated(architecture),
      init: hasInit(container),
      state: status === 'running' || status === 'created' || status === 'initialized' ? 'running' : 'exited',
      attached: this.#attached.has(row.id),
      opened: row.opened,
    };
  }

  /** What the session's image is now; when its name is gone, what it was. */
  async #unchanged(row: SessionRow): Promise<ImageRecord> {
    const { owner, name } = row;
    const digest = await this.#deps.catalogue.digest(row.digest);
    const image = (await this.#deps.catalogue.find(row)) ?? (digest && { owner, name, ...digest });
    if (!image) throw new TypeError(`session ${row.id} is on an image that is not catalogued`);
    return image;
  }
}

function isEmulated(architecture: ImageRecord['architecture']): boolean {
  return !runsNatively(architecture, serverArchitecture());
}
