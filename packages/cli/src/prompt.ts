/** Questions on the terminal. They go to standard error: standard output may be a pipe. */
import { createInterface } from 'node:readline/promises';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The answer, without blanks around; undefined when the user gives up (ctrl-c, ctrl-d). */
export async function ask(question: string): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      lines.on('close', () => {
        resolve(undefined);
      });
      lines.on('SIGINT', () => {
        process.stderr.write('\n');
        resolve(undefined);
      });
      lines.question(question).then((answer) => resolve(answer.trim()), reject);
    });
  } finally {
    lines.close();
  }
}

/** True only for a clear yes. */
export async function askYes(question: string): Promise<boolean> {
  const answer = await ask(`${question} [y/N] `);
  return answer !== undefined && /^y(es)?$/i.test(answer);
}
