/** The user's terminal in raw mode, and back, on every way out of the program. */
import { MAX_TERMINAL } from '@walt/contract/values/limits';

/**
 * Undoes what programs on the other side may have left on: alternate screen, mouse, paste marks, hidden cursor, a part of the screen
 * that scrolls, and, as firmware does, lines that are cut at the right edge.
 */
const RESET =
  '\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b7\x1b[r\x1b8\x1b[?7h\x1b[?25h\x1b[0m\r\n';

const ENDING_SIGNALS = { SIGTERM: 15, SIGHUP: 1, SIGINT: 2, SIGQUIT: 3 } as const;

export interface RawTerminal extends Disposable {
  /** The other side goes on, or vanished: also undo what its programs did to the screen. */
  reset(): void;
}

/** Raw mode until it is disposed, an exception or a signal ends the program, or it exits. */
export function enterRawMode(): RawTerminal {
  const { stdin, stdout } = process;
  let raw = true;
  const leave = () => {
    if (!raw) return;
    raw = false;
    stdin.setRawMode(false);
  };
  const onExit = () => leave();
  const onSignal = (signal: NodeJS.Signals) => {
    leave();
    process.exit(128 + ENDING_SIGNALS[signal as keyof typeof ENDING_SIGNALS]);
  };
  stdin.setRawMode(true);
  process.on('exit', onExit);
  for (const signal of Object.keys(ENDING_SIGNALS)) process.on(signal, onSignal);
  return {
    reset: () => {
      if (stdout.isTTY) stdout.write(RESET);
    },
    [Symbol.dispose]: () => {
      leave();
      process.off('exit', onExit);
      for (const signal of Object.keys(ENDING_SIGNALS)) process.off(signal, onSignal);
    },
  };
}

/** Size of the terminal; that of a usual one where there is none. */
export function terminalSize(): { columns: number; rows: number } {
  const clamp = (value: number | undefined, fallback: number) =>
    value === undefined || value < 1 ? fallback : Math.min(value, MAX_TERMINAL);
  return { columns: clamp(process.stdout.columns, 80), rows: clamp(process.stdout.rows, 24) };
}
