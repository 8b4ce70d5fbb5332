import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, createLog, isExternalError, type Peer, rarely, UdpPort } from '../../platform/index.ts';
import { discoverFrame, echoFrame, readAnswer, readEcho } from './dhcp-discover.ts';

const log = createLog('network');
const CLIENT_PORT = 68;
/** Milliseconds at which it is asked, and at which the answers should have come: dnsmasq pings an address for 3 s before it offers it. */
const QUESTIONS = [0, 1000, 2500];
const ANSWER_LIMIT = 5_500;
/** Milliseconds after which one that answers no more is forgotten. */
const MEMORY = 3_600_000;
/** Milliseconds in which the journal has one line of it. */
const WARNING_PERIOD = 600_000;
/** Servers that are remembered: whoever invents some is one of these. */
const MAX_KNOWN = 32;

export interface ForeignServer {
  /** What it calls itself, else where its answer came from. */
  address: string;
  /** The link behind which it answered us; null when it answered somebody else. */
  link: string | null;
  /** Whether the configuration has it. */
  accepted: boolean;
  /** Unix time in seconds. */
  lastSeen: number;
}

export interface Answers {
  /** One that the configuration does not accept. */
  server: ForeignServer | undefined;
  /** A link whose frames come back by another one. */
  circle: string | undefined;
}

/**
 * DHCP servers on the bridge that are not ours. Hears all that they say to all, and asks for them through single adapters: these
 * frames are no part of the bridge's traffic, so neither our own server nor a virtual node gets them.
 */
export class ForeignServers {
  readonly #own: string;
  readonly #accepted: readonly string[];
  readonly #port: UdpPort;
  readonly #known = new Map<string, ForeignServer>();
  /** Links by the numbers of what is asked now. */
  readonly #asked = new Map<number, string>();
  /** Of these, those whose own question came back by another adapter. */
  readonly #circles = new Set<string>();
  readonly #warn = rarely(log.warn, WARNING_PERIOD);
  /** Called for each answer. */
  readonly #listeners = new Set<() => void>();
  readonly #closed = new AbortController();

  private constructor(own: string, accepted: readonly string[], port: UdpPort) {
    this.#own = own;
    this.#accepted = accepted;
    this.#port = port;
  }

  /** `own`: the server's address on walt-net. */
  static async open(own: string, accepted: readonly string[]): Promise<ForeignServers> {
    const receive = (bytes: Buffer, from: Peer) => servers.#receive(bytes, from);
    const port = await UdpPort.open({ name: 'DHCP', log, port: CLIENT_PORT, receive });
    const servers: ForeignServers = new ForeignServers(own, accepted, port);
    return servers;
  }

  /**
   * Asks behind these links in the name of `mac`. Resolves as soon as there is an answer that is not accepted, or a circle; else
   * after some seconds. `manyLinks`: walt-net has several, two of which may lead to one segment.
   */
  async ask(mac: string, links: readonly string[], manyLinks: boolean): Promise<Answers> {
    const asked = new Map(links.map((link) => [randomInt(2 ** 32), link]));
    for (const [xid, link] of asked) this.#asked.set(xid, link);
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#closed.signal]);
    const isHere = (link: string | null) => link !== null && links.includes(link);
    const answers = (): Answers => ({
      server: [...this.#known.values()].find(({ link, accepted }) => !accepted && isHere(link)),
      circle: [...this.#circles].find(isHere),
    });
    const listener = () => {
      const { server, circle } = answers();
      if (server !== undefined || circle !== undefined) over.abort();
    };
    this.#listeners.add(listener);
    try {
      const began = Date.now();
      for (const [attempt, at] of QUESTIONS.entries()) {
        await until(began + at, signal);
        if (signal.aborted) break;
        const seconds = Math.floor(at / 1000);
        for (const [xid, link] of asked) {
          await send(link, discoverFrame({ mac, xid, seconds, pxe: attempt % 2 === 1 }));
          if (manyLinks) await send(link, echoFrame(mac, xid));
        }
      }
      await until(began + ANSWER_LIMIT, signal);
      return answers();
    } finally {
      this.#listeners.delete(listener);
      for (const [xid, link] of asked) {
        this.#asked.delete(xid);
        this.#circles.delete(link);
      }
    }
  }

  /** Those that answered within the last hour, by their addresses. */
  list(): ForeignServer[] {
    const limit = (Date.now() - MEMORY) / 1000;
    for (const [address, { lastSeen }] of this.#known) if (lastSeen < limit) this.#known.delete(address);
    return [...this.#known.values()].sort((a, b) => a.address.localeCompare(b.address));
  }

  /** Whoever asks has his answer at once. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#port.close();
  }

  #receive(bytes: Buffer, from: Peer): void {
    const echoed = readEcho(bytes);
    const circle = echoed === undefined ? undefined : this.#asked.get(echoed);
    if (circle !== undefined) this.#noteCircle(circle);
    const answer = readAnswer(bytes);
    if (!answer) return;
    const address = answer.server ?? from.address;
    if (address === this.#own || from.address === this.#own) return;
    const link = this.#asked.get(answer.xid) ?? this.#known.get(address)?.link ?? null;
    if (!this.#known.has(address) && this.list().length >= MAX_KNOWN) return;
    const accepted = this.#accepted.includes(address);
    this.#known.set(address, { address, link, accepted, lastSeen: Math.floor(Date.now() / 1000) });
    if (!accepted)
      this.#warn(
        'another DHCP server answers on walt-net',
        { server: address, adapter: link ?? 'unknown' },
        address,
      );
    for (const listener of this.#listeners) listener();
  }

  #noteCircle(link: string): void {
    this.#circles.add(link);
    this.#warn('two adapters lead to the same segment: frames go in a circle', { adapter: link }, link);
    for (const listener of this.#listeners) listener();
  }
}

async function until(time: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, time - Date.now()), undefined, { signal }).catch(() => {});
}

/** Puts a frame on the wire behind a link, past the bridge that it may be in (packet(7)). A link that goes meanwhile is no failure. */
async function send(link: string, frame: Buffer): Promise<void> {
  const argv = ['socat', '-u', 'STDIN', `INTERFACE:${link}`];
  try {
    const { status, stderr } = await attempt(argv, { input: frame, timeout: 5_000 });
    if (status !== 0) log.warn('cannot ask for DHCP servers', { adapter: link, reason: stderr.trim() });
  } catch (error) {
    if (!isExternalError(error)) throw error;
    log.warn('cannot ask for DHCP servers', { adapter: link, reason: error.message });
  }
}
