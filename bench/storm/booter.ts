/**
 * Machines that boot at once, as far as a server sees them: DHCP, boot script, kernel, initramfs, what they read of their root, the
 * agent's questions. Runs in their network namespace. usage: booter.ts FILE, a `Storm` as JSON; prints a `Weather`.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ClientRequest, get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { Dhcp } from './dhcp.ts';
import { readRoot } from './root.ts';
import type { Question } from './trace.ts';

export interface Storm {
  server: string;
  machines: readonly { mac: string; ip: string | null }[];
  /**
   * Address of the NFS server, and what is asked of it; or handles of volumes, by server and name: each machine reads what it is told to
   * read ahead, of whom it is told. Null: the machines only make themselves known.
   */
  root: { nfs: string; questions: Question[] } | { handles: Record<string, Record<string, string>> } | null;
}

export interface Weather {
  /** By machine: its address, seconds until all was read, and who served its root. */
  machines: { mac: string; ip: string; seconds: number; nfs?: string }[];
  /** Bytes of kernels and initramfs in all. */
  loaded: number;
}

/** How a gzip member begins (RFC 1952). */
const GZIP = Buffer.of(0x1f, 0x8b, 0x08);
const { server, machines, root }: Storm = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'));
let loaded = 0;

/** The end of a body: all that is needed of an initramfs is in its last part. */
async function load(
  ip: string,
  path: string,
  headers: Record<string, string> = {},
  keep = 65_536,
): Promise<Buffer> {
  const request = get({ host: server, localAddress: ip, path, headers, agent: false });
  const [response] = await once(request, 'response');
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
  let end = Buffer.alloc(0);
  for await (const chunk of response) {
    loaded += chunk.length;
    end = Buffer.concat([end, chunk]).subarray(-keep);
  }
  return end;
}

/** A boot until all is read. A machine that nobody knows yet has no address of its own. */
async function boot(dhcp: Dhcp, mac: string, own: string | null): Promise<Weather['machines'][number]> {
  const start = performance.now();
  const ip = await dhcp.address(mac, own !== null);
  const seconds = () => (performance.now() - start) / 1000;
  if (!root) return { mac, ip, seconds: seconds() };
  if (ip !== own) throw new Error(`${mac} got ${ip} instead of ${own}`);
  const script = await scriptOf(ip, mac);
  const [kernel, initramfs] = [/^kernel http:\/\/[^/]+(\S+)/m, /^initrd .*http:\/\/[^/]+(\S+)/m].map(
    (pattern) => pattern.exec(script)?.[1],
  );
  if (!kernel || !initramfs) throw new Error(`${mac} got no kernel: ${script}`);
  await load(ip, kernel);
  const end = lastArchive(await load(ip, initramfs));
  const [generation, token] = [/^generation=(\d+)$/m, /^token=(\S+)$/m].map(
    (pattern) => pattern.exec(end)?.[1],
  );
  if (!generation || !token)
    throw new Error('the initramfs has no bootstrap document where it is looked for');
  const { nfs, questions } = 'handles' in root ? readAhead(end, root.handles) : root;
  await readRoot(ip, nfs, questions);
  // The agent's question, which is answered when there is an order: that it came is what counts.
  const poll = { host: server, localAddress: ip, path: `/node/poll?generation=${generation}&booted=1` };
  const request = get({ ...poll, headers: { 'x-walt-token': token }, agent: false });
  request.on('error', () => {});
  await once(request, 'finish');
  polls.push(request);
  return { mac, ip, seconds: seconds(), nfs };
}

/** What init reads ahead (packages/node/initramfs/init). */
function readAhead(archive: string, handles: Record<string, Record<string, string>>) {
  const nfs = /^volumes=([0-9.]+):/m.exec(archive)?.[1] ?? '';
  const questions = [...archive.matchAll(/^([a-z0-9-]+\.erofs) (\d+) (\d+)$/gm)].map(
    ([, volume = '', start = '', length = '']): Question => {
      const handle = handles[nfs]?.[volume];
      if (handle === undefined) throw new Error(`${nfs} has no ${volume}`);
      return { op: 'read', handle, offset: String(Number(start) * 1024), bytes: Number(length) * 1024 };
    },
  );
  if (questions.length === 0) throw new Error('nobody has told what a boot reads');
  return { nfs, questions };
}

/** What is made for this machine alone is compressed by itself, behind all else. */
function lastArchive(initramfs: Buffer): string {
  for (let at = initramfs.length; at >= 0; at = initramfs.lastIndexOf(GZIP, at - 1)) {
    try {
      const text = gunzipSync(initramfs.subarray(at)).toString('latin1');
      if (text.includes('\ntoken=')) return text;
    } catch {
      // Such bytes are in the middle of one, too.
    }
    if (at === 0) break;
  }
  throw new Error('the initramfs has no bootstrap document where it is looked for');
}

/** One that the server does not know is asked for its CPU first. */
async function scriptOf(ip: string, mac: string): Promise<string> {
  const first = (await load(ip, `/boot/ipxe?mac=${mac}&arch=i386`)).toString();
  if (!first.includes('walt-cpu')) return first;
  return (await load(ip, `/boot/ipxe?mac=${mac}&cpu=x86_64`)).toString();
}

const polls: ClientRequest[] = [];
const dhcp = await Dhcp.open();
const all = await Promise.all(machines.map(({ mac, ip }) => boot(dhcp, mac, ip)));
for (const request of polls) request.destroy();
dhcp.close();
const weather: Weather = { machines: all, loaded };
process.stdout.write(JSON.stringify(weather));
