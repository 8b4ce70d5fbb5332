import { type ChildProcess, spawn } from 'node:child_process';

/** A command on a terminal of its own (script(1)), whose output is read and which is typed to. */
export class TerminalCommand {
  readonly #child: ChildProcess;
  #output = '';
  #look: (() => void) | undefined;
  /** Exit status. */
  readonly ended: Promise<number>;

  constructor(argv: readonly string[], env: Record<string, string>) {
    const line = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    this.#child = spawn('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
      env: { ...process.env, ...env, TERM: 'xterm-256color' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#look?.();
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status) => {
        resolve(status ?? 1);
        this.#look?.();
      });
    });
  }

  /** Resolves as soon as what came since the last `expect` matches. Throws when it ends before. */
  async expect(pattern: RegExp): Promise<void> {
    let isOver = false;
    void this.ended.then(() => {
      isOver = true;
    });
    for (;;) {
      const match = pattern.exec(this.#output);
      if (match) {
        this.#output = this.#output.slice(match.index + match[0].length);
        return;
      }
      if (isOver) throw new Error(`the command ended without ${pattern}; it said: ${this.#output}`);
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }
}
