import { readFile } from 'node:fs/promises';
import { attempt, run } from '../programs/index.ts';

/** Mount points in a folder, itself included, the innermost first (proc_pid_mountinfo(5)). */
export async function mountsIn(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const points = lines.map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, octal));
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}

function octal(_escape: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}

/** Unmounts all that is mounted in a folder; what is still in use goes when its user does. Throws ExternalError. */
export async function unmountIn(folder: string): Promise<void> {
  for (const point of await mountsIn(folder)) {
    const { status } = await attempt(['umount', '--', point]);
    if (status !== 0) await run(['umount', '--lazy', '--', point]);
  }
}
