import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIfPresent, run } from '../packages/server/src/platform/index.ts';
import { until } from './until.ts';

export interface TerminalOptions {
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
}

/**
 * Notes the program's exit status in a file: tmux 3.3 loses it when its window was resized. Keys like ctrl-c reach the
 * whole foreground group, and are meant for the program.
 */
const NOTE_STATUS =
  'trap : INT QUIT; file=$1; shift; "$@"; echo $? >"$file.part"; mv -- "$file.part" "$file"';

/** A program on a real terminal: a tmux server of its own, in which keys are typed and whose screen is read. */
export class Terminal implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(argv: readonly string[], options: TerminalOptions = {}): Promise<Terminal> {
    const terminal = new Terminal(await mkdtemp(join(tmpdir(), 'walt-terminal-')));
    const { columns = 100, rows = 30, env = {} } = options;
    await run(
      [
        ...['tmux', '-u', '-S', terminal.#socket, '-f', '/dev/null', 'start-server', ';'],
        // The screen stays when the program has ended.
        ...['set-option', '-g', 'remain-on-exit', 'on', ';'],
        ...['new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, '--'],
        ...['sh', '-c', NOTE_STATUS, 'sh', terminal.#statusFile, ...argv],
      ],
      // A tmux server has the environment of the command that starts it; with TMUX set it would refuse to nest.
      { env: { TMUX: '', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...env } },
    );
    return terminal;
  }

  /** What the screen shows, lines that were wrapped joined; with `escapes`, colours included. */
  async screen(options: { escapes?: boolean } = {}): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-J', ...(options.escapes ? ['-e'] : []));
  }

  /** Waits until the screen matches, and answers the match. */
  expect(pattern: RegExp, limit?: number): Promise<RegExpExecArray> {
    return this.#until(`${pattern}`, async () => pattern.exec(await this.screen()) ?? undefined, limit);
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', '--', text);
  }

  /** Presses keys by tmux's names, as `Enter`, `C-c`, `Escape`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', '--', ...keys);
  }

  /** Types a line and presses enter. */
  async enter(line: string): Promise<void> {
    if (line !== '') await this.type(line);
    await this.press('Enter');
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  }

  /** Number of the program's process. */
  async pid(): Promise<number> {
    const shell = (await this.#tmux('display-message', '-p', '#{pane_pid}')).trim();
    const children = await readFile(`/proc/${shell}/task/${shell}/children`, 'utf8');
    const pid = Number.parseInt(children, 10);
    if (Number.isNaN(pid)) throw new Error('the program on the terminal has ended');
    return pid;
  }

  /** Exit status of the program, once it has ended. */
  async exited(limit?: number): Promise<number> {
    return Number(await this.#until('the end of its program', () => readIfPresent(this.#statusFile), limit));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server');
    await rm(this.#folder, { recursive: true });
  }

  get #socket(): string {
    return join(this.#folder, 'tmux');
  }

  get #statusFile(): string {
    return join(this.#folder, 'status');
  }

  async #until<T>(what: string, look: () => Promise<T | undefined>, limit = 180_000): Promise<T> {
    try {
      return await until(`${what} on the terminal`, look, limit);
    } catch (error) {
      throw new Error(`${(error as Error).message}; it shows:\n${await this.screen()}`, { cause: error });
    }
  }

  #tmux(...words: string[]): Promise<string> {
    return run(['tmux', '-u', '-S', this.#socket, ...words], { env: { TMUX: '' } });
  }
}
