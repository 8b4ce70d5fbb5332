import type { MessagePort } from 'node:worker_threads';
import type { Answer, FromThread, Question, ToThread } from './messages.ts';

/** The program, as a thread asks it. */
export class Program {
  readonly #port: MessagePort;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', ({ number, ...answer }: ToThread) => {
      this.#open.get(number)?.(answer);
      this.#open.delete(number);
    });
  }

  /** Questions are answered in any order. */
  ask(question: Question): Promise<Answer> {
    this.#last += 1;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#open.set(this.#last, resolve);
    this.#port.postMessage({ ...question, number: this.#last } satisfies FromThread);
    return promise;
  }

  /** All was told; the program ends this thread. */
  end(): void {
    this.#port.postMessage({ type: 'end' } satisfies FromThread);
  }
}
