/** A program on a terminal of its own, made by script(1). */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { shellWord } from '../src/ssh/config.ts';

/** Milliseconds; only a test that fails waits so long. */
const LIMIT = 300_000;

export class Pty implements Disposable {
  /** Exit status of the program. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #output = '';
  /** What `expect` has looked at already. */
  #seen = 0;
  #waiting: (() => void) | undefined;

  constructor(argv: readonly string[], env: Record<string, string>, cwd: string) {
    // The shell tells the terminal's name and its own process, which becomes the program's.
    const program = argv.map(shellWord).join(' ');
    const line = `stty cols 90 rows 30; echo "PTY:$(tty):$$"; PS1='outer$ ' exec ${program}`;
    this.#child = spawn('script', ['-qefc', line, '/dev/null'], { env, cwd });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#waiting?.();
    });
    // What is typed when the program has just ended is for nobody.
    this.#child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve) => this.#child.on('close', resolve));
    this.exited.then(() => this.#waiting?.());
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until the pattern shows up behind what was expected before. */
  async expect(pattern: RegExp): Promise<RegExpExecArray> {
    let over = false;
    this.exited.then(() => {
      over = true;
    });
    const deadline = Date.now() + LIMIT;
    for (;;) {
      const match = pattern.exec(this.#output.slice(this.#seen));
      if (match) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      if (over || Date.now() > deadline) {
        throw new Error(`${pattern} did not show up in: ${JSON.stringify(this.#output.slice(this.#seen))}`);
      }
      await this.#more(deadline - Date.now());
    }
  }

  get output(): string {
    return this.#output;
  }

  /** Name of the terminal and process of the program. */
  async identity(): Promise<{ tty: string; pid: number }> {
    const match = await this.expect(/PTY:(\S+):(\d+)/);
    return { tty: match[1] ?? '', pid: Number(match[2]) };
  }

  resize(tty: string, columns: number, rows: number): void {
    execFileSync('stty', ['-F', tty, 'cols', String(columns), 'rows', String(rows)]);
  }

  #more(limit: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
