/** Long text, a screen at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { terminalText } from './visible.ts';

/** Through $PAGER, else less, on a terminal; as it is elsewhere, and where there is no pager. */
export async function page(text: string): Promise<void> {
  const pager = await openPager();
  const shown = terminalText(text);
  if (!pager) process.stdout.write(shown);
  else {
    pager.sink.end(shown);
    await pager.closed;
  }
}

export interface Pager {
  /** What it shows. Destroyed once the user has quit. */
  sink: Writable;
  /** Resolves when the user has seen enough. */
  closed: Promise<void>;
}

/** Undefined where output is no terminal, and where there is no pager. */
export async function openPager(): Promise<Pager | undefined> {
  if (!process.stdout.isTTY) return undefined;
  const { PAGER } = process.env;
  // $PAGER is a line of shell by convention (git, man): the user wrote it.
  const [program, args] = PAGER ? ['/bin/sh', ['-c', PAGER]] : ['less', ['-FRX']];
  const pager = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const { stdin: sink } = pager;
  // The user may quit before the end.
  sink.on('error', () => {});
  const closed = Promise.withResolvers<void>();
  // ctrl-c belongs to the pager.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  pager.once('close', () => {
    process.off('SIGINT', ignore);
    sink.destroy();
    closed.resolve();
  });
  try {
    await once(pager, 'spawn');
  } catch {
    process.off('SIGINT', ignore);
    return undefined;
  }
  return { sink, closed: closed.promise };
}
