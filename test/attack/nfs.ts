/** NFS 3 and 4 and MOUNT (RFC 1813, 7530): calls that are nearly right. */
import { call, opaque, record, words } from './rpc.ts';
import { packets, sendStreams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

const PATHS = ['/volumes', '/persist/1', '/', '/etc', '../..', 'x'.repeat(1100), ''];
const handle = () => opaque(random.bytes(random.pick([0, 8, 28, 64, 128])));

function mount(): Buffer {
  return call(100_005, random.pick([1, 3, 9]), random.below(7), opaque(random.pick(PATHS)));
}

function version3(): Buffer {
  const body = [handle(), opaque(random.pick(PATHS)), words(0, 4096), random.bytes(4 * random.below(20))];
  return call(100_003, 3, random.below(23), Buffer.concat(body));
}

/** COMPOUND: PUTROOTFH (24), PUTFH (22), LOOKUP (15), GETFH (10), GETATTR (9), READ (25), and whatever else there is. */
function version4(): Buffer {
  const operations = [
    () => words(24),
    () => Buffer.concat([words(22), handle()]),
    () => Buffer.concat([words(15), opaque(random.pick(PATHS))]),
    () => words(10),
    () => words(9, 2, 0x0010_011a, 0x00b0_a23a),
    () => words(25, 0, 0, 0, 0, 0, 0, 4096),
    () => Buffer.concat([words(random.below(75)), random.bytes(4 * random.below(12))]),
  ];
  const chosen = Array.from({ length: random.below(8) }, () => random.pick(operations)());
  const head = Buffer.concat([
    opaque('tag'),
    words(random.below(4), random.chance(95) ? chosen.length : random.below(2 ** 31)),
  ]);
  return call(100_003, 4, random.chance(95) ? 1 : random.below(5), Buffer.concat([head, ...chosen]));
}

const mounts = Math.ceil(count / 10);
let answers = await sendStreams(
  { host: server, port: 20_048 },
  packets(mounts, () => record(mount())),
  8,
);
const calls = packets(count - mounts, () => record(random.chance(50) ? version4() : version3()));
answers += await sendStreams({ host: server, port: 2049 }, calls, 8);
process.stdout.write(`${answers} answers to ${count}\n`);
