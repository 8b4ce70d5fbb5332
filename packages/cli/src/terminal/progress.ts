/** Progress of a long call on standard error: one live line on a terminal, now and then a line elsewhere. */
import { resultOf } from '@walt/client/long-call';
import type { Progress, WithProgress } from '@walt/contract';
import { humanDuration, humanSize } from './human.ts';
import { displayWidth, type Paint, painter, wantsColours } from './style.ts';
import { terminalText, visibleName } from './visible.ts';

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** Without a terminal, a step that takes longer is told again this often. */
const PLAIN_MS = 5000;
const BAR_WIDTH = 20;

/** Follows a call to its result. Throws what the call throws. */
export async function follow<T>(events: Promise<AsyncIterable<WithProgress<T>>>): Promise<T> {
  using display = openDisplay();
  return await resultOf(events, display.show);
}

export interface Display extends Disposable {
  show(progress: Progress): void;
}

export function openDisplay(): Display {
  return process.stderr.isTTY ? liveDisplay() : plainDisplay();
}

function liveDisplay(): Display {
  const paint = painter(wantsColours(process.stderr));
  const started = Date.now();
  let current: Progress | undefined;
  let frame = 0;
  const draw = () => {
    if (current === undefined) return;
    const elapsed = (Date.now() - started) / 1000;
    const spin = SPINNER[frame % SPINNER.length] ?? '';
    frame += 1;
    const line = renderLive(current, elapsed, spin, process.stderr.columns ?? 80, paint);
    process.stderr.write(`\r\x1b[K${terminalText(line)}`);
  };
  const clear = () => {
    if (current !== undefined) process.stderr.write('\r\x1b[K');
  };
  const timer = setInterval(draw, FRAME_MS);
  // A line that stays behind would look as if the work went on.
  const interrupted = () => {
    clear();
    process.off('SIGINT', interrupted);
    process.kill(process.pid, 'SIGINT');
  };
  process.on('SIGINT', interrupted);
  return {
    show: (progress) => {
      // The timer draws what follows: bytes may be told a thousand times a second.
      const first = current === undefined;
      current = progress;
      if (first) draw();
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      process.off('SIGINT', interrupted);
      clear();
    },
  };
}

function plainDisplay(): Display {
  let step = '';
  let told = 0;
  return {
    show: (progress) => {
      const now = Date.now();
      if (progress.step === step && now - told < PLAIN_MS) return;
      step = progress.step;
      told = now;
      const line = [visibleName(progress.step), renderAmount(progress)].filter(Boolean).join(' · ');
      process.stderr.write(`${terminalText(line)}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}

/** The live line: spinner, step, bar, amount, elapsed seconds; cut to `columns`. */
export function renderLive(
  progress: Progress,
  elapsed: number,
  spin: string,
  columns: number,
  paint: Paint,
): string {
  const tail = [renderBar(progress), renderAmount(progress), humanDuration(elapsed)]
    .filter(Boolean)
    .join('  ');
  const room = Math.max(10, columns - displayWidth(tail) - 6);
  const name = visibleName(progress.step);
  const step = displayWidth(name) > room ? `${name.slice(0, room - 1)}…` : name;
  return `${paint(spin, 'cyan')} ${step}  ${paint(tail, 'dim')}`;
}

function renderBar({ done, total, unit }: Progress): string {
  const whole = unit === 'percent' ? 100 : total;
  if (done === undefined || whole === undefined || whole <= 0) return '';
  const filled = Math.round(Math.min(1, done / whole) * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

/** `12 MB of 246 MB`, `40 %`, `2 of 3 nodes`; empty when nothing is counted. */
export function renderAmount({ done, total, unit }: Progress): string {
  if (done === undefined) return '';
  if (unit === 'percent') return `${Math.round(done)} %`;
  const show = (value: number) => (unit === 'bytes' ? humanSize(value) : String(value));
  const noun = unit === undefined || unit === 'bytes' ? '' : ` ${unit}`;
  return total === undefined ? `${show(done)}${noun}` : `${show(done)} of ${show(total)}${noun}`;
}
