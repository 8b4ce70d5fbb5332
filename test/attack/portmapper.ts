/** The portmapper (RFC 1833): calls that are nearly right, by UDP and TCP. */
import { call, record, words } from './rpc.ts';
import { packets, sendDatagrams, sendStreams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

function question(): Buffer {
  const body = words(random.pick([100_000, 100_003, 100_005, random.below(2 ** 31)]), 3, 6, 0);
  return call(100_000, random.below(6), random.below(12), body);
}

const byTcp = Math.ceil(count / 10);
const answers = await sendDatagrams({ address: server, port: 111 }, packets(count - byTcp, question));
const streams = await sendStreams(
  { host: server, port: 111 },
  packets(byTcp, () => record(question())),
  8,
);
process.stdout.write(`${answers + streams} answers to ${count}\n`);
