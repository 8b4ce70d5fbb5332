import { setTimeout as delay } from 'node:timers/promises';
import { attempt } from '../../platform/index.ts';
import type { TerminalSize } from './containers.ts';

interface Deps {
  /** Asks podman for a size. */
  ask: (size: TerminalSize) => Promise<void>;
  /** Process that has the terminal as its standard input; undefined: it has ended. */
  process: () => Promise<number | undefined>;
}

/** Milliseconds between two looks, and how many there are: conmon is quick, but on a busy machine. */
const PAUSE = 10;
const LOOKS = 200;
/** Looks after which podman is asked again. */
const PATIENCE = 20;

/**
 * Sizes a container's terminal: the last size that was wanted is the one that it gets. podman hands a size on to conmon and does not
 * wait; conmon 2.1.6 takes two that it reads at once for the first one twice, so that the second is lost. Hence one at a time, and the
 * next one when the terminal has it.
 */
export class TerminalSizer {
  readonly #deps: Deps;
  #wanted: TerminalSize[] = [];
  #running: Promise<void> | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Resolves when the terminal has the size, or a later one that was wanted meanwhile. */
  resize(size: TerminalSize): Promise<void> {
    return this.#sizes([size]);
  }

  /** As `resize`, by way of another size: a program draws its screen again when the size changes. */
  redraw(size: TerminalSize): Promise<void> {
    return this.#sizes([{ ...size, rows: size.rows > 1 ? size.rows - 1 : size.rows + 1 }, size]);
  }

  #sizes(sizes: TerminalSize[]): Promise<void> {
    this.#wanted = sizes;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let size = this.#wanted.shift(); size; size = this.#wanted.shift()) await this.#apply(size);
  }

  async #apply(size: TerminalSize): Promise<void> {
    const process = await this.#deps.process();
    await this.#deps.ask(size);
    for (let look = 1; process !== undefined && look <= LOOKS; look += 1) {
      const now = await sizeOf(process);
      if (now === undefined || (now.rows === size.rows && now.columns === size.columns)) return;
      await delay(PAUSE);
      if (look % PATIENCE === 0) await this.#deps.ask(size);
    }
  }
}

/** Undefined when the process has ended, or its standard input is no terminal any more. */
async function sizeOf(process: number): Promise<TerminalSize | undefined> {
  const { status, stdout } = await attempt(['stty', '-F', `/proc/${process}/fd/0`, 'size']);
  const [rows, columns] = stdout.trim().split(' ').map(Number);
  return status === 0 && rows !== undefined && columns !== undefined ? { rows, columns } : undefined;
}
