import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLog,
  isExternalError,
  isUserError,
  UserError,
  type WantedAdapter,
} from '../../platform/index.ts';
import { links } from '../ip.ts';
import { whyAbsent } from './absent.ts';
import { carryOut, type Sides } from './carry-out.ts';
import { LinkWatch } from './link-watch.ts';
import { type Finding, type Plan, plan, type Step } from './plan.ts';
import { AdapterRecord } from './record.ts';
import { look } from './world.ts';

const log = createLog('network');

/** Seconds of a machine's uptime in which adapters may still be found, and milliseconds for which a start waits for them then. */
const BOOTING = 120;
const APPEARANCE_LIMIT = 10_000;
/** Milliseconds for a cable's two ends to agree after they were switched on. */
const CARRIER_LIMIT = 6_000;
/** Milliseconds between two looks where an event may be missed. */
const LOOK_INTERVAL = 500;
/** Milliseconds in which changes are taken together. */
const CALM = 50;

export interface AdapterStatus {
  name: string;
  /** `no-link`: nothing that is on is at the other end of its cable. */
  state: 'joined' | 'no-link' | 'missing' | 'refused';
  /** Unix time in seconds. */
  since: number;
  /** What keeps it out. */
  reason: string | null;
}

interface AdapterOptions {
  wanted: readonly WantedAdapter[];
  bridge: string;
  /** Name of walt-net's namespace, in which we are, and of the host's. */
  namespace: string;
  host: string;
  /** Of AdapterRecord. */
  file: string;
  /** Whether these may join, which are up in this namespace and not in the bridge yet. Throws when not. */
  mayJoin(links: readonly string[]): Promise<void>;
  /** These have got a link. */
  linked(links: readonly string[]): void;
}

/** The adapters of this machine that walt-net has: they join it when they are there, and again when they come back. */
export class Adapters {
  readonly #options: AdapterOptions;
  readonly #sides: Sides;
  readonly #watch: LinkWatch | undefined;
  #status: AdapterStatus[] = [];
  /** The pass that runs, and whether another one has to follow. */
  #pass: Promise<void> | undefined;
  #again = false;
  #ready = false;
  #closed = false;
  #event = Promise.withResolvers<void>();

  private constructor(options: AdapterOptions, sides: Sides) {
    this.#options = options;
    this.#sides = sides;
    if (options.wanted.length > 0)
      this.#watch = new LinkWatch([undefined, options.host], () => this.#changed());
  }

  /**
   * In walt-net's namespace. Adopts what it has, and joins the rest. Throws UserError when an adapter that it did not have since the
   * platform's start does not exist or must not join; then it has taken nothing.
   */
  static async open(options: AdapterOptions): Promise<Adapters> {
    const { host, bridge, file } = options;
    const record = await AdapterRecord.open(file);
    const adapters = new Adapters(options, { host, inside: undefined, bridge, record });
    try {
      await adapters.#begin();
      adapters.#ready = true;
      await adapters.mend();
    } catch (error) {
      await adapters.close();
      throw error;
    }
    return adapters;
  }

  get status(): readonly AdapterStatus[] {
    return this.#status;
  }

  /** Links in the bridge that are adapters. */
  get links(): readonly string[] {
    return this.#sides.record.taken.map(({ link }) => link);
  }

  /** Looks, and does what is to be done. Rejects never: what fails is told in the journal and by `status`. */
  mend(): Promise<void> {
    if (this.#options.wanted.length === 0 && this.#sides.record.taken.length === 0) return Promise.resolve();
    if (this.#pass) this.#again = true;
    else this.#pass = this.#passes();
    return this.#pass;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#watch?.close();
    await this.#pass;
  }

  #changed(): void {
    this.#event.resolve();
    this.#event = Promise.withResolvers<void>();
    if (this.#ready) void this.mend();
  }

  async #passes(): Promise<void> {
    try {
      do {
        this.#again = false;
        await delay(CALM);
        if (!this.#closed) await this.#settle();
      } while (this.#again && !this.#closed);
    } catch (error) {
      log.error('cannot look after adapters', { error: String(error) });
    } finally {
      this.#pass = undefined;
    }
  }

  async #plan(): Promise<Plan> {
    const { wanted, bridge, host } = this.#options;
    return plan(wanted, await look(host), this.#sides.record.taken, bridge);
  }

  async #settle(): Promise<void> {
    const { steps } = await this.#plan();
    const failures = new Map<string, string>();
    for (const step of steps) {
      const name = nameOf(step);
      if (failures.has(name)) continue;
      try {
        await carryOut(step, this.#sides);
      } catch (error) {
        if (!isExternalError(error) && !isUserError(error)) throw error;
        failures.set(name, error.message);
      }
    }
    const { findings } = await this.#plan();
    await this.#note(findings, failures);
  }

  async #note(findings: readonly Finding[], failures: ReadonlyMap<string, string>): Promise<void> {
    const linked: string[] = [];
    const status: AdapterStatus[] = [];
    for (const finding of findings) {
      const { name } = finding;
      const { state, reason } = told(finding, failures.get(name));
      const { at, news } = await this.#sides.record.note(name, state);
      status.push({ name, state, since: at, reason });
      if (!news) continue;
      const write = state === 'joined' ? log.info : log.warn;
      write(`adapter: ${WORDS[state]}`, { adapter: name, ...(reason === null ? {} : { reason }) });
      if (state === 'joined' && finding.state === 'joined') linked.push(finding.link);
    }
    this.#status = status;
    if (linked.length > 0) this.#options.linked(linked);
  }

  /** Takes what it does not have yet; with the first reason against one of them, none. */
  async #begin(): Promise<void> {
    const { taken } = this.#sides.record;
    if (this.#options.wanted.length === 0 && taken.length === 0) return;
    // First, since an entry may need what another one had: an adapter instead of a VLAN on it.
    for (const step of (await this.#plan()).steps)
      if (step.kind === 'give-back') await this.#tryGiveBack(step);
    const before = new Set(taken.map(({ name }) => name));
    const isNew = (name: string) => !before.has(name);
    const { steps, findings } = await this.#appeared(isNew);
    for (const finding of findings) {
      if (finding.state !== 'joined' && isNew(finding.name)) throw await this.#whyNot(finding);
    }
    const news = findings.filter(({ name }) => isNew(name) && steps.some((step) => nameOf(step) === name));
    const names = news.map(({ name }) => name);
    const own = steps.filter((step) => names.includes(nameOf(step)));
    try {
      for (const step of own) if (step.kind !== 'join') await this.#take(step);
      const links = news.flatMap((finding) => (finding.state === 'joined' ? [finding.link] : []));
      if (links.length > 0) await this.#options.mayJoin(await this.#withCarrier(links));
      for (const step of own) if (step.kind === 'join') await this.#take(step);
    } catch (error) {
      const { record } = this.#sides;
      for (const one of record.taken.filter(({ name }) => names.includes(name)))
        await this.#tryGiveBack({ kind: 'give-back', taken: one });
      throw error;
    }
  }

  /** What cannot be given back now is tried again by each pass, and at the stop: no reason not to serve. */
  async #tryGiveBack(step: Step): Promise<void> {
    try {
      await carryOut(step, this.#sides);
    } catch (error) {
      if (!isExternalError(error)) throw error;
      log.warn('adapter: cannot be given back', { adapter: nameOf(step), reason: error.message });
    }
  }

  async #take(step: Step): Promise<void> {
    try {
      await carryOut(step, this.#sides);
    } catch (error) {
      if (!isExternalError(error)) throw error;
      throw new UserError(
        'UNAVAILABLE',
        `${nameOf(step)} cannot join walt-net: ${error.message}`,
        'Name another adapter in network.interfaces.',
      );
    }
  }

  #whyNot(finding: Exclude<Finding, { state: 'joined' }>): Promise<UserError> | UserError {
    if (finding.state === 'refused') return finding.why;
    const { namespace, host } = this.#options;
    return whyAbsent(finding.what, host, [namespace, host]);
  }

  /** What is planned once all new adapters are there. Adapters on USB are found late: while the machine boots, they are waited for. */
  async #appeared(isNew: (name: string) => boolean): Promise<Plan> {
    const limit = Date.now() + (uptime() < BOOTING ? APPEARANCE_LIMIT : 0);
    for (;;) {
      const planned = await this.#plan();
      const missing = planned.findings.some(({ name, state }) => state === 'missing' && isNew(name));
      if (!missing || Date.now() >= limit) return planned;
      await this.#nextEvent();
    }
  }

  /** Those of the links that have a carrier, once all have one or it is late. */
  async #withCarrier(names: readonly string[]): Promise<string[]> {
    const limit = Date.now() + CARRIER_LIMIT;
    for (;;) {
      const all = await links();
      const have = names.filter((name) =>
        all.find(({ ifname }) => ifname === name)?.flags.includes('LOWER_UP'),
      );
      if (have.length === names.length || Date.now() >= limit) return have;
      await this.#nextEvent();
    }
  }

  async #nextEvent(): Promise<void> {
    const timer = new AbortController();
    await Promise.race([
      this.#event.promise,
      delay(LOOK_INTERVAL, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    timer.abort();
  }
}

const WORDS = {
  joined: 'joined walt-net',
  'no-link': 'no link',
  missing: 'missing',
  refused: 'stays with the host',
} as const;

function told(finding: Finding, failure: string | undefined): Pick<AdapterStatus, 'state' | 'reason'> {
  if (finding.state === 'missing') return { state: 'missing', reason: null };
  if (finding.state === 'refused') return { state: 'refused', reason: finding.why.message };
  if (failure !== undefined) return { state: 'refused', reason: failure };
  return { state: finding.carrier ? 'joined' : 'no-link', reason: null };
}

function nameOf(step: Step): string {
  return step.kind === 'give-back' ? step.taken.name : step.name;
}
