/** What is to be seen of the platform: `walt-server status` and `journal`. */
import { spawn } from 'node:child_process';
import { say } from './admin-terminal.ts';
import { answers, isWatched } from './launcher.ts';
import {
  type Config,
  type Crash,
  followLog,
  journalFile,
  lastLines,
  platformPaths,
  projectFile,
  readCrashes,
  UserError,
} from './platform/index.ts';
import { localTime } from './restore.ts';

export async function status(config: Config, options: { json?: boolean }): Promise<number> {
  if (!(await answers(config))) {
    const crashes = await readCrashes(platformPaths(config));
    const supervised = await isWatched(config);
    if (options.json) console.log(JSON.stringify({ running: false, supervised, crashes }));
    else say(notRunning(supervised, crashes));
    return 3;
  }
  const walt = projectFile('walt');
  const argv = ['advanced', 'server-status', ...(options.json ? ['--json'] : [])];
  return exitStatus(walt, argv, { WALT_SOCKET: platformPaths(config).socket });
}

function notRunning(supervised: boolean, crashes: readonly Crash[]): string {
  const last = crashes.at(-1);
  const lines = [
    supervised ? 'The server does not serve just now; it is started again.' : 'The platform does not run.',
  ];
  if (last) {
    const count = `${crashes.length} times in 24 hours, last at ${localTime(last.at)}`;
    lines.push(`It ended unexpectedly ${count}: ${last.reason}`);
  }
  lines.push(supervised ? 'To start it now: walt-server start' : 'Start it with: walt-server start');
  return lines.join('\n');
}

export async function journal(config: Config, options: { follow?: boolean; lines: string }): Promise<void> {
  const count = Number(options.lines);
  if (!Number.isInteger(count) || count < 0) {
    throw new UserError(
      'INVALID',
      `${JSON.stringify(options.lines)} is no number of lines.`,
      'Say for example: -n 100',
    );
  }
  const file = journalFile(platformPaths(config));
  const { text, end } = await lastLines(file, count);
  await printed(text);
  if (!options.follow) return;
  for await (const chunk of followLog(file, end, new AbortController().signal)) await printed(chunk);
}

/** Resolves when it is written: whoever reads may be slower. */
function printed(text: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function exitStatus(file: string, argv: string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
