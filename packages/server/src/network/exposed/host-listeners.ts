/** Sockets that listen in the host's network, while the server is in the platform's. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Server } from 'node:net';
import { join } from 'node:path';
import { namespaceFile, projectFile } from '../../platform/index.ts';

/** Milliseconds for a program of ours that does next to nothing. */
const LIMIT = 60_000;

/**
 * Gives `take` a socket that listens at a port of all addresses of that namespace; connections may come from then on. A socket stays
 * in the network in which it was made: a process that is there makes it, hands it over, and ends. Rejects with the system's error,
 * whose code is `code`.
 */
export async function listenIn(
  namespace: string,
  port: number,
  take: (server: Server) => void,
): Promise<void> {
  const child = fork(programFile(), [String(port)], {
    execPath: 'nsenter',
    execArgv: [
      `--net=${namespaceFile(namespace)}`,
      '--',
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      process.execPath,
    ],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Its `timeout` would keep the server from ending.
    signal: AbortSignal.timeout(LIMIT),
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'exit');
  try {
    const cut = ended.then(([status]): never => {
      throw Object.assign(new Error(`the program that listens ended with ${status}`), { code: 'EXTERNAL' });
    });
    const [code, server] = await Promise.race([once(child, 'message'), cut]);
    if (server instanceof Server) return take(server);
    throw Object.assign(new Error(`the system says ${String(code)}`), { code: String(code) });
  } finally {
    // It ends once it is heard, and with it its share of the socket.
    if (child.connected) child.disconnect();
    await ended.catch(() => {});
  }
}

function programFile(): string {
  if (import.meta.filename.endsWith('.ts')) return join(import.meta.dirname, 'main.ts');
  return projectFile('dist/server/exposed.js');
}
