import { streamProgram } from '../platform/index.ts';

export type PingEvent = { type: 'line'; line: string } | { type: 'exit'; status: number };

/** ICMP echo requests to a node, as ping (iputils) prints them. Throws the signal's reason when it is aborted. */
export async function* ping(ip: string, count: number, signal: AbortSignal): AsyncGenerator<PingEvent, void> {
  const program = streamProgram(['ping', '-n', '-c', String(count), '--', ip], { signal, accept: 'any' });
  let pending = '';
  for await (const chunk of program.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) yield { type: 'line', line };
  }
  // Why it did not even begin, as "Network is unreachable".
  for (const line of program.complaint().split('\n').filter(Boolean)) yield { type: 'line', line };
  yield { type: 'exit', status: (await program.ended) ?? 1 };
}
