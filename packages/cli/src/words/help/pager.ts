/** Long text, a screen at a time. */
import { spawn } from 'node:child_process';
import { terminalText } from '../../terminal/visible.ts';

/** Through $PAGER, else less, on a terminal; as it is elsewhere, and where there is no pager. */
export async function page(text: string): Promise<void> {
  const shown = terminalText(text);
  if (!process.stdout.isTTY || !(await throughPager(shown))) process.stdout.write(shown);
}

function throughPager(text: string): Promise<boolean> {
  const { PAGER } = process.env;
  // $PAGER is a line of shell by convention (git, man): the user wrote it.
  const [program, args] = PAGER ? ['/bin/sh', ['-c', PAGER]] : ['less', ['-FRX']];
  return new Promise((resolve) => {
    const pager = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    // ctrl-c belongs to the pager.
    const ignore = () => {};
    process.on('SIGINT', ignore);
    pager.on('error', () => resolve(false));
    pager.on('close', () => {
      process.off('SIGINT', ignore);
      resolve(true);
    });
    // The user may quit before the end.
    pager.stdin.on('error', () => {});
    pager.stdin.end(text);
  });
}
