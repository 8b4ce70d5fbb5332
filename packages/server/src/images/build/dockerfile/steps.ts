/** What buildah prints: which step it is at, and image IDs by the names that the user gave. */
import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { type Instruction, shownText } from './dockerfile.ts';
import type { BuildPlan } from './plan.ts';
import { isChoosing } from './rules.ts';

/** A line that may become one that tells a step: it is held back until it is whole. */
const BEGINNING = /^(?:\[[\d/]*\]? ?)?(?:S|ST|STE|STEP.*)?$/;
/** What a command printed last may stand in front, where it did not end its line. */
const STEP = /(?:\[(\d+)\/\d+\] )?STEP (\d+)\/\d+: ([A-Z]+)/;
const MAX_LINE = 4096;

/** Passes on what a build prints, and remembers the step that was told last. */
export class StepWatcher extends Transform {
  readonly #plan: BuildPlan;
  readonly #names: ReadonlyMap<string, string>;
  readonly #decoder = new StringDecoder('utf8');
  /** Of the line that is not whole yet: its beginning, and what of it was not passed on. */
  #line = '';
  #held = '';
  #current: Instruction | undefined;

  /** `names` are the users' names of images, by ID. */
  constructor(plan: BuildPlan, names: ReadonlyMap<string, string>) {
    super();
    this.#plan = plan;
    this.#names = names;
  }

  /** The instruction that runs, or ran last; undefined before the first. */
  get current(): Instruction | undefined {
    return this.#current;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take(this.#decoder.write(chunk));
    done();
  }

  override _flush(done: () => void): void {
    this.#take(this.#decoder.end());
    if (this.#held) this.push(this.#held);
    done();
  }

  #take(text: string): void {
    const parts = text.split('\n');
    const last = parts.pop() ?? '';
    let out = '';
    for (const part of parts) {
      this.#grow(part);
      out += `${this.#observe(this.#held + part)}\n`;
      this.#line = '';
      this.#held = '';
    }
    this.#grow(last);
    if (this.#line === this.#held + last && BEGINNING.test(this.#line)) this.#held += last;
    else {
      out += this.#held + last;
      this.#held = '';
    }
    if (out) this.push(out);
  }

  #grow(part: string): void {
    this.#line += part.slice(0, MAX_LINE - this.#line.length);
  }

  /** Looks at a whole line; answers what of it is to be passed on. */
  #observe(rest: string): string {
    const [, stage = '1', number, keyword] = STEP.exec(this.#line) ?? [];
    if (number === undefined) return rest;
    const { from, steps } = this.#plan.stages[Number(stage) - 1] ?? {};
    const step = number === '1' ? from : steps?.[Number(number) - 2]?.instruction;
    // Commands may print what looks like a step.
    if (!step || (step.keyword !== keyword && !(keyword === 'COPY' && isChoosing(step)))) return rest;
    this.#current = step;
    if (step.shown !== undefined || isChoosing(step))
      return `${rest.slice(0, rest.indexOf(': ') + 2)}${shownText(step)}`;
    return rest.replace(/\b[0-9a-f]{64}\b/g, (id) => this.#names.get(id) ?? id);
  }
}
