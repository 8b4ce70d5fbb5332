/**
 * A link between a machine and its bridge, with a rate and a delay, the same for all ways to boot. The kernel that runs the bench may
 * have no netem: the rate is the kernel's tbf on the tap (tc-tbf(8)), the delay QEMU's own filter-buffer (qemu(1)), which gives
 * frames on at each tick, in both directions: a round trip takes one interval longer, on average.
 */
import { createConnection } from 'node:net';
import { run } from '../packages/server/src/platform/index.ts';

export interface Link {
  /** Towards the machine, in Mbit/s. */
  rate: number;
  /** What it adds to a round trip, in milliseconds. */
  delay: number;
}

/** As `100,1`: Mbit/s, milliseconds. Throws RangeError. */
export function parseLink(text: string): Link {
  const [rate = 0, delay = 0, ...more] = text.split(',').map(Number);
  if (!(rate >= 1 && delay > 0) || more.length > 0)
    throw new RangeError(`--link is RATE,DELAY, as 100,1: not ${text}`);
  return { rate, delay };
}

/** Lets through so much to the machine on this tap, until the tap goes. */
export async function limitRate(namespace: string, tap: string, { rate }: Link): Promise<void> {
  // 50 ms of queue, as a switch of a lab has them; a burst of a few packets of 64 KiB, in which the kernel hands them to a tap.
  const shape = ['tbf', 'rate', `${rate}mbit`, 'burst', '256kb', 'latency', '50ms'];
  await run(['tc', '-n', namespace, 'qdisc', 'replace', 'dev', tap, 'root', ...shape]);
}

const filter = ({ delay }: Link) => ({
  ...{ 'qom-type': 'filter-buffer', id: 'link', netdev: 'net', interval: Math.round(delay * 1000) },
});

/** QEMU's words for the delay, behind those of its network. */
export function delayArguments(link: Link): string[] {
  const { 'qom-type': type, ...properties } = filter(link);
  return [
    '-object',
    [type, ...Object.entries(properties).map(([key, value]) => `${key}=${value}`)].join(','),
  ];
}

/** The same for a QEMU that runs already (QEMU Machine Protocol specification). */
export function delayRunning(qmpSocket: string, link: Link): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(qmpSocket);
    const commands = [{ execute: 'qmp_capabilities' }, { execute: 'object-add', arguments: filter(link) }];
    let said = '';
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`QEMU made no link: ${said}`)));
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (said === '') socket.write(commands.map((command) => `${JSON.stringify(command)}\n`).join(''));
      said += text;
      if ((said.match(/^\{"return"/gm) ?? []).length === commands.length) {
        resolve();
        socket.destroy();
      }
    });
  });
}
