import { LEAST_LOADED, WALT_SERVER } from '@walt/contract';
import type { BootTarget, ProvenVolume } from '../../boot/index.ts';
import type { DigestRecord, Images } from '../../images/index.ts';
import { type Database, type Log, rarely, whileUnwritten } from '../../platform/index.ts';
import type { Engine } from '../engine/index.ts';
import { sameSecret } from '../ownership/index.ts';
import { knownSize, settingOf } from '../setting-values.ts';
import type { NodeRow, NodeStore } from '../store.ts';
import type { NodeTables } from '../tables.ts';
import { chooseServer } from './choice.ts';
import { type NodeWish, planCopies, type WantedCopies, wantedCopies } from './copies.ts';
import { Doubts } from './doubts.ts';
import { lostNodes, type ServerState } from './lost.ts';
import { type CopyFacts, parseReport, type Report, renderOrders } from './report.ts';
import { isServed, type ServedVolumes, servedVolumes } from './served.ts';
import type { VolumeServerStore } from './store.ts';

/** Milliseconds between looks at whether nodes have lost what serves them. */
const LOOK = 3_000;
/** Seconds since its last word, within which one may be used: it says something every two. */
const FRESH = 30;
/** Copies of which a report may have one dropped: each is looked up, and a host tells of as many as it likes. */
const MOST_DROPPED = 2_000;

interface Deps {
  database: Database<NodeTables>;
  store: Pick<NodeStore, 'all' | 'orderBoots'>;
  servers: VolumeServerStore;
  machines: Pick<Engine, 'places' | 'volumeHosts'>;
  images: Pick<Images, 'byDigest'>;
  /** File names of the volumes that nodes mount of an image, where they can prove what they read; else none. */
  provenVolumesOf(image: Pick<DigestRecord, 'digest' | 'layers'>): Promise<string[]>;
  /** Undefined: it is not there; or its bytes are being read, which is to be asked for again. */
  factsOf(name: string): Promise<(CopyFacts & ProvenVolume) | undefined>;
  /** Called when boots were ordered. */
  changed(): Promise<unknown>;
  log: Log;
}

/** What was heard of a volume server, and when. Seconds. */
interface Heard extends Report {
  at: number;
}

/** What hosts have of volumes, and who mounts them there. It knows what they told since this server began, and nothing else. */
export class VolumeServers {
  readonly #deps: Deps;
  readonly #heard = new Map<string, Heard>();
  readonly #doubts = new Doubts();
  /** By node: host or WALT_SERVER. */
  readonly #chosen = new Map<number, string>();
  readonly #since = now();
  /** Each host asks every two seconds. */
  readonly #next: () => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly #warn: ReturnType<typeof rarely>;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** A look is about to begin, which sees what is known by then. */
  #isDue = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#warn = rarely(deps.log.warn);
    this.#next = whileUnwritten(deps.database, () => this.#volumesByImage());
  }

  /** From now on, nodes that lose what serves them are brought elsewhere. */
  start(): void {
    this.#timer = setInterval(() => void this.#look(), LOOK).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Whether somebody on walt-net is a volume server of ours. */
  knows(ip: string, token: string): boolean {
    const known = this.#deps.servers.byIp(ip);
    return known !== undefined && sameSecret(known.token, token);
  }

  /** Takes what a volume server tells, and answers what it is to do. */
  async report(ip: string, text: string): Promise<string> {
    const host = this.#deps.servers.byIp(ip)?.host;
    if (host === undefined) return '';
    const told = parseReport(text);
    const doubted = this.#doubts.among(host, told);
    const heard = { ...told, have: told.have.difference(doubted), at: now() };
    this.#heard.set(host, heard);
    if (heard.failed !== undefined)
      this.#warn('a host cannot copy a volume', { host, reason: heard.failed }, host);
    if (!this.#hosts()?.some((one) => one.name === host && one.inUse)) return '';
    const wanted = wantedCopies(host, await this.#wishes());
    // Before it is fetched again: whoever has mounted the one that was there, has it no more.
    if (wanted.inUse.values().some((name) => !heard.there.has(name))) await this.#look();
    const facts = await this.#factsFor(wanted, heard);
    const sizes = new Map([...facts].map(([name, { size }]) => [name, size]));
    const { fetch, drop } = planCopies(wanted, { ...heard, right: heard.have, doubted }, sizes);
    // From here on, no boot is sent there for it.
    for (const name of drop) heard.have.delete(name);
    return renderOrders(fetch === undefined ? undefined : facts.get(fetch), drop);
  }

  /** Of what a plan may be about. */
  async #factsFor({ names }: WantedCopies, { have, there }: Report): Promise<Map<string, CopyFacts>> {
    const missing = names.filter((name) => !have.has(name));
    const wanted = new Set(names);
    const others = missing.length === 0 ? [] : [...there].filter((name) => !wanted.has(name));
    others.splice(MOST_DROPPED);
    const found = await Promise.all([...missing, ...others].map((name) => this.#deps.factsOf(name)));
    return new Map(found.flatMap((one): [string, CopyFacts][] => (one ? [[one.name, one]] : [])));
  }

  /** From where a node is to mount its volumes, as it boots; null: from the WalT server. */
  async choose(
    node: NodeRow,
    image: Pick<DigestRecord, 'digest' | 'layers' | 'bootPlan'>,
  ): Promise<ServedVolumes | null> {
    const hosts = this.#hosts() ?? [];
    if (hosts.length === 0 || image.bootPlan !== 'volumes') return null;
    const names = await this.#deps.provenVolumesOf(image);
    const [proofs, places, rows] = await Promise.all([
      this.#proofsOf(names),
      this.#deps.machines.places(node.type === 'virtual' ? [node] : []),
      this.#deps.store.all(),
    ]);
    // What is not known yet is being read.
    if (names.length === 0 || proofs.length < names.length) return null;
    const from = settingOf(node, 'volumes.from');
    // From here on, nobody else chooses meanwhile.
    const loads = from === LEAST_LOADED ? this.#loads(rows.filter(({ id }) => id !== node.id)) : new Map();
    const loadOf = (host: string) => loads.get(host) ?? 0;
    const servers = hosts.flatMap(({ name, inUse }) => {
      const heard = this.#heard.get(name);
      if (!inUse || !heard || now() - heard.at > FRESH) return [];
      return [{ host: name, has: heard.have, load: loadOf(name) }];
    });
    const wish = { from, host: places.get(node.id)?.host ?? null, needed: names };
    const host = chooseServer(wish, servers, loadOf(WALT_SERVER));
    this.#chosen.set(node.id, host ?? WALT_SERVER);
    return host === null ? null : { host, names, proofs };
  }

  async #proofsOf(names: readonly string[]): Promise<ProvenVolume[]> {
    const facts = await Promise.all(names.map((name) => this.#deps.factsOf(name)));
    return facts.flatMap((one) => (one ? [{ name: one.name, blocks: one.blocks, root: one.root }] : []));
  }

  /** Takes a node's word that it was given wrong bytes. Others are not asked to boot anew for it: they prove theirs themselves. */
  async disproved(node: NodeRow, volume: string): Promise<void> {
    const served = servedVolumes(node);
    if (!served?.names.includes(volume) || !isServed(node)) return;
    const { host } = served;
    this.#deps.log.warn('a host gave a node other bytes of a volume than the server has', {
      node: node.id,
      host,
      volume,
    });
    this.#doubts.add(host, volume);
    this.#heard.get(host)?.have.delete(volume);
    await this.#bootAnew([node.id]);
  }

  /** How many nodes mount from each host, and from WALT_SERVER. Many choose before the first of them is noted in its row. */
  #loads(rows: readonly NodeRow[]): Map<string, number> {
    const loads = new Map<string, number>();
    for (const row of rows) {
      const chosen = this.#chosen.get(row.id);
      if (chosen === undefined && !isServed(row)) continue;
      const from = chosen ?? servedVolumes(row)?.host ?? WALT_SERVER;
      loads.set(from, (loads.get(from) ?? 0) + 1);
    }
    return loads;
  }

  /** What serves a node's volumes; undefined: the WalT server does. */
  serverOf(node: Pick<NodeRow, 'served_volumes'>): Pick<BootTarget, 'volumeServer' | 'proofs'> | undefined {
    const served = servedVolumes(node);
    const server = served && this.#deps.servers.find(served.host);
    return server ? { volumeServer: server.ip, proofs: served.proofs } : undefined;
  }

  #hosts() {
    return this.#deps.machines.volumeHosts();
  }

  async #wishes(): Promise<NodeWish[]> {
    const [rows, next] = await Promise.all([this.#deps.store.all(), this.#next()]);
    const places = await this.#deps.machines.places(rows.filter(({ type }) => type === 'virtual'));
    return rows.map((row) => ({
      from: settingOf(row, 'volumes.from'),
      host: places.get(row.id)?.host ?? knownSize(row)?.place.host ?? null,
      next: next.get(row.digest ?? '') ?? [],
      served: servedVolumes(row),
    }));
  }

  /** Volumes by the digests of images that nodes are to boot. */
  async #volumesByImage(): Promise<Map<string, readonly string[]>> {
    const digests = new Set((await this.#deps.store.all()).flatMap(({ digest }) => digest ?? []));
    const found = new Map<string, readonly string[]>();
    for (const digest of digests) found.set(digest, await this.#volumesOf(digest));
    return found;
  }

  async #volumesOf(digest: string): Promise<string[]> {
    const image = await this.#deps.images.byDigest(digest);
    return image?.bootPlan === 'volumes' ? await this.#deps.provenVolumesOf(image) : [];
  }

  /** One at a time. */
  #look(): Promise<void> {
    if (this.#isDue) return this.#turn;
    this.#isDue = true;
    this.#turn = this.#turn.then(async () => {
      this.#isDue = false;
      try {
        await this.#bringElsewhere();
      } catch (error) {
        this.#warn('nodes of volume servers cannot be looked after', { error: String(error) });
      }
    });
    return this.#turn;
  }

  /** Their NFS mounts wait for what may never come back. */
  async #bringElsewhere(): Promise<void> {
    const { store, machines, log } = this.#deps;
    const hosts = this.#hosts();
    const rows = (await store.all()).filter((row) => row.served_volumes !== null);
    // Before Slurm has answered, nobody knows what became of hosts.
    if (rows.length === 0 || hosts === undefined) return;
    const places = await machines.places(rows.filter(({ type }) => type === 'virtual'));
    const nodes = rows.map((row) => {
      const host = places.get(row.id)?.host ?? null;
      const isOff = row.type === 'virtual' && host === null;
      return { id: row.id, host, isToBoot: isOff || !isServed(row), served: servedVolumes(row) };
    });
    const states = new Map(
      nodes.flatMap(({ served }): [string, ServerState][] =>
        served ? [[served.host, this.#stateOf(served.host, hosts)]] : [],
      ),
    );
    const lost = lostNodes(nodes, states);
    if (lost.length === 0) return;
    for (const { id, host, why } of lost)
      log.warn('a node boots anew: what served its volumes is gone', { node: id, host, why });
    await this.#bootAnew(lost.map(({ id }) => id));
  }

  async #bootAnew(ids: number[]): Promise<void> {
    await this.#deps.store.orderBoots([{ ids, hard: true, cause: 'volumes', user: null }]);
    await this.#deps.changed();
  }

  #stateOf(host: string, hosts: NonNullable<ReturnType<Engine['volumeHosts']>>): ServerState {
    const heard = this.#heard.get(host);
    const known = hosts.find(({ name }) => name === host);
    return {
      silent: now() - (heard?.at ?? this.#since),
      host: known?.inUse ? 'used' : known && !known.isDrained ? 'away' : 'left',
      there: heard?.there,
    };
  }
}

function now(): number {
  return Date.now() / 1000;
}
