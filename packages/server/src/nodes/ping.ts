import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export type PingEvent = { type: 'line'; line: string } | { type: 'exit'; status: number };

/** ICMP echo requests to a node, as ping (iputils) prints them. Ends early when aborted. */
export async function* ping(ip: string, count: number, signal: AbortSignal): AsyncGenerator<PingEvent, void> {
  const child = spawn('ping', ['-n', '-c', String(count), '--', ip], {
    signal,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) yield { type: 'line', line };
    yield { type: 'exit', status: await ended };
  } finally {
    child.kill();
    await ended.catch(() => undefined);
  }
}
