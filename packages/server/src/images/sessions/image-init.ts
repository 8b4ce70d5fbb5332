/**
 * Image shells of images that bring `/bin/walt-image-shell-start` and `-shutdown`: the first runs as the container's first
 * process and becomes the image's init, shells join it, the second ends it. Its changes are those of the container, as in a
 * plain shell.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isUserError, UserError } from '../../platform/index.ts';
import { withTree } from '../../trees/index.ts';
import type { ContainerState, Containers, TerminalSize } from '../containers/index.ts';
import {
  INIT_SHUTDOWN,
  INIT_START,
  requireAccountFiles,
  SHELL,
  STOP_LIMIT,
  shellEnvironment,
  TerminalSizer,
} from '../containers/index.ts';
import { isPodmanError } from '../store/index.ts';
import type { Terminal } from './session.ts';
import { brokenConnection, END_LIMIT } from './terminal.ts';

/** Milliseconds that an image's init has to end after its `walt-image-shell-shutdown` was called. */
const SHUTDOWN_LIMIT = 60_000;

/** Whether the image of a container, which need not run, brings both programs. */
export async function bringsInit(containers: Containers, container: string): Promise<boolean> {
  // podman follows the image's links, but mounts the image for that; nearly none has a file of that name.
  const layers = (await containers.inspect(container))?.folders.lower ?? [];
  if (!(await isAnywhere(layers, INIT_START))) return false;
  for (const program of [INIT_START, INIT_SHUTDOWN]) {
    if (!(await containers.hasProgram(container, program))) return false;
  }
  return true;
}

/** Whether a layer has `path`, also where its folder is a link in another one, as `/bin` mostly is. */
async function isAnywhere(layers: readonly string[], path: string): Promise<boolean> {
  const folder = dirname(path);
  const links = await Promise.all(layers.map((layer) => withTree(layer, (tree) => tree.readLink(folder))));
  const folders = new Set([folder, ...links.flatMap((target) => (target ? [resolve('/', target)] : []))]);
  const found = layers.map((layer) =>
    withTree(layer, (tree) => Promise.all([...folders].map((one) => tree.find(join(one, basename(path)))))),
  );
  return (await Promise.all(found)).flat().some((place) => place !== undefined);
}

/** Whether a container was made by `initSpec`. */
export function hasInit(container: Pick<ContainerState, 'entrypoint'> | undefined): boolean {
  return container?.entrypoint === INIT_START;
}

/**
 * Opens a new shell beside the image's init, which is started if it is not `running`. When the shell ends, so does the init, and
 * the terminal after it. A shell whose terminal was lost goes on. Throws UserError UNAVAILABLE when the init ends at once.
 */
export async function joinInit(
  containers: Containers,
  container: string,
  image: string,
  size: TerminalSize,
  running: boolean,
): Promise<Terminal> {
  const { shell, program } = await startShell(containers, container, image, size, running);
  const screen = new Screen(shell);
  const sizer = new TerminalSizer({
    ask: (wanted) => containers.resizeProgram(program, wanted),
    process: () => containers.programProcess(program),
  });
  const ended = new Promise<void>((resolve) => {
    shell.on('end', resolve);
    shell.on('error', () => resolve());
  });
  const exited = ended
    .then(async () => {
      const status = await containers.programEnded(program, END_LIMIT);
      if (status === undefined) throw brokenConnection(image);
      screen.push('The init of the image shuts down.\r\n');
      await shutDown(containers, container);
      return status;
    })
    .finally(() => screen.push(null));
  // Whoever is interested in the status handles its failure; where nobody is, it must not bring the server down.
  exited.catch(() => {});
  return { stream: screen, exited, resize: (wanted) => sizer.resize(wanted) };
}

/** A shell's terminal that goes on after the shell. What is typed then is lost. */
class Screen extends Duplex {
  readonly #shell: Duplex;

  constructor(shell: Duplex) {
    super({ allowHalfOpen: false });
    this.#shell = shell;
    shell.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) shell.pause();
    });
  }

  override _read(): void {
    this.#shell.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#shell.writable) this.#shell.write(chunk, () => done());
    else done();
  }

  override _final(done: () => void): void {
    this.#shell.end();
    done();
  }

  /** Detaches: the shell goes on. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#shell.destroy();
    done(error);
  }
}

/** Ends the init of the image in an orderly way, as far as it lets us; harmless when it does not run. */
export async function shutDown(containers: Containers, container: string): Promise<void> {
  const state = await containers.inspect(container);
  if (state?.status !== 'running') return;
  const ended = containers.ended(container);
  const limit = new AbortController();
  try {
    await requireAccountFiles(containers, container, state);
    const program = await containers.addProgram(container, { command: [INIT_SHUTDOWN], env: {} });
    await containers.startProgram(program);
    await Promise.race([ended, delay(SHUTDOWN_LIMIT, undefined, { signal: limit.signal }).catch(() => {})]);
  } catch (error) {
    // It ended by itself just now, or nothing can be run in it.
    if (!isPodmanError(error) && !isUserError(error)) throw error;
  } finally {
    limit.abort();
  }
  await containers.stop(container, STOP_LIMIT);
  await ended;
}

async function startShell(
  containers: Containers,
  container: string,
  image: string,
  size: TerminalSize,
  running: boolean,
): Promise<{ shell: Duplex; program: string }> {
  try {
    if (!running) {
      await containers.start(container);
      if (!(await containers.runs(container))) throw doesNotRun(image, 'it cannot be executed');
    }
    const command = ['/bin/sh', '-c', SHELL];
    const program = await containers.addProgram(container, {
      command,
      env: shellEnvironment(),
      terminal: true,
    });
    return { shell: await containers.joinProgram(program, size), program };
  } catch (error) {
    if (!isPodmanError(error)) throw error;
    throw doesNotRun(image, error.message);
  }
}

function doesNotRun(image: string, reason: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The init that ${INIT_START} starts in image "${image}" does not run: ${reason}`,
    `Discard the session; mend or remove that program with: walt image run ${image} --save-as NAME -- COMMAND`,
  );
}
