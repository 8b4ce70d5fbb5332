/** Questions on the terminal. They go to standard error: standard output may be a pipe. */
import { Writable } from 'node:stream';
import { terminalText } from './visible.ts';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The answer, without blanks around; undefined when the user gives up (ctrl-c, ctrl-d). */
export async function ask(question: string): Promise<string | undefined> {
  return (await askLine(question, process.stderr))?.trim();
}

/** As `ask`, of what must not show on the terminal; blanks stay. */
export async function askSecret(question: string): Promise<string | undefined> {
  // readline sets the terminal to raw mode and echoes what is typed to its output.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const answer = await askLine(question, nowhere);
  process.stderr.write('\n');
  return answer;
}

async function askLine(question: string, output: NodeJS.WritableStream): Promise<string | undefined> {
  // Here, not above: it would cost each command's start.
  const { createInterface } = await import('node:readline/promises');
  const shown = terminalText(question);
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  // Only now: what is typed before the terminal is in raw mode would show.
  if (output !== process.stderr) process.stderr.write(shown);
  const ahead: string[] = [];
  let answer: string | undefined;
  try {
    answer = await new Promise<string | undefined>((resolve, reject) => {
      lines.on('close', () => {
        resolve(undefined);
      });
      lines.on('SIGINT', () => {
        if (output === process.stderr) output.write('\n');
        resolve(undefined);
      });
      lines.on('line', (line) => ahead.push(`${line}\r`));
      lines.question(shown).then(resolve, reject);
    });
  } finally {
    lines.close();
  }
  // What came in one piece with the answer is for what follows: the next question, or a shell.
  const typed = `${ahead.join('')}${lines.line}`;
  if (answer !== undefined && typed !== '') process.stdin.unshift(Buffer.from(typed));
  return answer;
}

/** True only for a clear yes. */
export async function askYes(question: string): Promise<boolean> {
  const answer = await ask(`${question} [y/N] `);
  return answer !== undefined && /^y(es)?$/i.test(answer);
}
