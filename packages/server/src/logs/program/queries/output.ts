import type { Answer } from './messages.ts';
import type { Program } from './program.ts';

/** Bytes that are handed on together. */
const PORTION = 64 * 1024;

export interface Line {
  time: number;
  stream: number;
  /** With its newline. */
  text: Buffer;
}

/** What goes out, in portions; waits while nobody takes them. */
export class Output {
  readonly #program: Program;
  #parts: Buffer[] = [];
  #size = 0;
  readonly #told = new Set<number>();
  readonly #names = new Map<number, { issuer: string; name: string }>();

  constructor(program: Program) {
    this.#program = program;
  }

  know(streams: Answer['streams']): void {
    for (const { id, issuer, name } of streams) this.#names.set(id, { issuer, name });
  }

  async line({ stream, text }: Line): Promise<void> {
    if (!this.#told.has(stream)) {
      this.#told.add(stream);
      const { issuer = '', name = '' } = this.#names.get(stream) ?? {};
      this.#add(Buffer.from(`S ${stream} ${issuer} ${name}\n`));
    }
    this.#add(Buffer.from(`L ${stream} `), text);
    if (this.#size >= PORTION) await this.flush();
  }

  async mark(word: string): Promise<void> {
    this.#add(Buffer.from(`${word}\n`));
    await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#size === 0) return;
    const text = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    await this.#program.ask({ type: 'text', text });
  }

  #add(...parts: Buffer[]): void {
    this.#parts.push(...parts);
    for (const { length } of parts) this.#size += length;
  }
}
