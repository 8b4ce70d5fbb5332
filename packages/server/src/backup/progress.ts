/** What who waits is told. */
export interface Told {
  say(line: string): void;
  /** Begins a step; call the answer with how many bytes are done, where that is known. */
  step(title: string): (done?: number, total?: number) => void;
}

/** Milliseconds after which a step is told, and between two words on it. */
const PAUSE = 2000;

/** Tells by lines: quick steps are not told. */
export function toldByLines(say: (line: string) => void): Told {
  let last = performance.now();
  return {
    say,
    step: (title) => (done, total) => {
      if (performance.now() - last < PAUSE) return;
      last = performance.now();
      const whole = total === undefined ? '' : ` of ${amount(total)}`;
      say(done === undefined ? title : `${title}: ${amount(done)}${whole}`);
    },
  };
}

export function amount(bytes: number): string {
  return bytes < 1024 ** 3 ? `${Math.ceil(bytes / 1024 ** 2)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
