/**
 * Copies over ssh: `walt image cp` of one large file out of an image and into one, on a laptop, against `scp` of the same file from and
 * to the server's machine, in alternating runs. Laptop and server are network namespaces with a real sshd between them; all is on
 * this machine's disk. What comes into an image also becomes a layer and a volume, for which no time is bounded (decision 0136).
 * usage: remote-copy.ts [--runs N] [--size MB] [--json]
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { Lab, SERVER_ADDRESS, signIn } from '../packages/cli/test/lab.ts';
import { startServer } from '../packages/server/test/server.ts';
import { benchOptions, progress, refuse } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

/** Of the speed of scp. */
const LEAST = 0.8;

const { runs, json, own } = benchOptions(3, ['size']);
const size = Number(own.size ?? 1000);
if (!Number.isSafeInteger(size) || size < 1) refuse('--size must be a whole number of megabytes');

await using server = await startServer({ signIn });
using checkout = await Checkout.make(server.socket);
await server.addTree('alice/debian');
await using lab = await Lab.open(server, checkout);
// scp asks for sftp.
const PORT = 2222;
await lab.sshd(PORT, ['Subsystem sftp internal-sftp']);
const env = lab.env(`ssh://alice@${SERVER_ADDRESS}:${PORT}`);
const here = join(lab.home, 'file');
const back = join(lab.home, 'back');
const there = join(lab.homeOf('alice'), 'file');
// What no program packs.
const random = Readable.from(
  (function* () {
    for (let done = 0; done < size; done += 1) yield randomBytes(1_000_000);
  })(),
);
await pipeline(random, createWriteStream(here));

const scp = ['scp', '-q', '-P', String(PORT), '-o', 'User=alice'];
const place = `${SERVER_ADDRESS}:${there}`;
const walt = [checkout.walt, 'image', 'cp'];
const tasks = {
  'scp to the server': () => timeOf([...scp, here, place]),
  'image cp into an image': () => timeOf([...walt, here, 'debian:/file']),
  'scp from the server': () => timeOf([...scp, place, back]),
  'image cp out of an image': () => timeOf([...walt, 'debian:/file', back]),
};
const times = new Map<string, number[]>(Object.keys(tasks).map((what) => [what, []]));
progress(`${runs} runs of ${size} MB each`);
// The first command logs in.
await timeOf([checkout.walt, 'image', 'show']);
for (let round = 0; round < runs; round += 1) {
  for (const [what, task] of Object.entries(tasks)) {
    rmSync(back, { force: true });
    times.get(what)?.push(await task());
  }
}

const median = (what: keyof typeof tasks) => summarize(times.get(what) ?? []).median;
const measures = [...times].map(([what, all]) => ({ what, unit: 's', ...summarize(all) }));
const out = median('scp from the server') / median('image cp out of an image');
const bounds = [{ claim: 'out of an image, of the speed of scp', value: out, limit: LEAST, atLeast: true }];
conclude({ bench: 'remote-copy', measures, bounds }, json);

/** Seconds, of a program on the laptop. Throws when it fails. */
function timeOf(argv: readonly string[]): Promise<number> {
  const started = performance.now();
  const [program = '', ...args] = lab.argvOnLaptop(...argv);
  const child = spawn(program, args, { env, cwd: lab.home, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve((performance.now() - started) / 1000);
      else reject(new Error(`${argv.join(' ')} ended with ${status}`));
    });
  });
}
