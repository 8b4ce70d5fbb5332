import type { DeviceNote } from '@walt/contract';
import { type DhcpRequest, textOf } from '../network/index.ts';
import { isExternalError, rarely, UserError } from '../platform/index.ts';
import {
  afterFile,
  afterPort,
  afterRequest,
  type Facts,
  recentNotes,
  withNote,
  withoutNote,
} from './facts.ts';
import { Heard } from './heard.ts';
import { afterLeases, needless, newDevice } from './leases.ts';
import { type Device, DeviceStore } from './store.ts';
import type { NodeAddress, Surroundings } from './surroundings.ts';
import { nameOf } from './view.ts';

/** Milliseconds until what was heard is noted: many requests at once are one write. */
const NOTE_DELAY = 2_000;
/** Milliseconds between two looks at leases and ports. */
const LOOK_INTERVAL = 15_000;
/** Milliseconds between two lines of the journal on the same thing of the same device. */
const TELL_PERIOD = 600_000;

/** What the journal calls them. */
const EVENTS: Record<DeviceNote['kind'], string> = {
  'two-machines': 'two machines with one hardware address',
  'other-machine': 'an adapter in another machine',
  'other-model': 'a node of another model',
  moved: 'a device on another port',
  clock: 'a clock is off',
  boot: 'a machine gets nothing to boot',
  memory: 'a node kills programs for want of memory',
  disk: 'a node cannot use its disk',
};

/**
 * Whatever was heard on walt-net, by hardware address. Requests to DHCP tell what a machine says of itself. Leases tell its address,
 * and of machines that came while the server was away: dnsmasq keeps them. All is in memory, and in the database when it has changed.
 */
export class Devices {
  readonly #deps: Surroundings;
  readonly #warn: ReturnType<typeof rarely>;
  readonly #inform: ReturnType<typeof rarely>;
  readonly #known = new Map<string, Device>();
  readonly #store: DeviceStore;
  /** By hardware address. */
  readonly #requests = new Heard<DhcpRequest>();
  /** Boot files by the address that asked. */
  readonly #files = new Heard<string>();
  /** By hardware address of the node that told. */
  readonly #neighbours = new Heard<{ mac: string; port: string }>();
  /** Hardware addresses of the nodes at the last look. */
  #nodes = new Set<string>();
  #ears: { close(): Promise<void> } | undefined;
  #soon: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(deps: Surroundings) {
    this.#deps = deps;
    this.#store = new DeviceStore(deps.database);
    this.#warn = rarely(deps.log.warn, TELL_PERIOD);
    this.#inform = rarely(deps.log.info, TELL_PERIOD);
  }

  static async open(deps: Surroundings): Promise<Devices> {
    const devices = new Devices(deps);
    for (const device of await devices.#store.load()) devices.#known.set(device.mac, device);
    return devices;
  }

  /** Hears from now on. */
  async start(): Promise<void> {
    this.#ears = await this.#deps.network.hearDhcp((request) => this.#hear(request));
    this.#looking = setInterval(() => this.#lookSoon(), LOOK_INTERVAL).unref();
    await this.look();
  }

  /** What was heard until now is noted. */
  async close(): Promise<void> {
    clearInterval(this.#looking);
    await this.#ears?.close();
    await this.look();
    clearTimeout(this.#soon);
  }

  /** All of them, nodes too, with what was heard until now. */
  async all(): Promise<Device[]> {
    await this.look();
    return this.noted();
  }

  /** As far as it is noted; what was heard in the last seconds may be missing. */
  noted(): Device[] {
    return [...this.#known.values()];
  }

  /** What has an address and is no node, as far as it is noted. */
  others(): { name: string; ip: string }[] {
    return this.noted().flatMap((device) => {
      const { ip, mac } = device;
      return ip === null || this.#nodes.has(mac) ? [] : [{ name: nameOf(device), ip }];
    });
  }

  notesOf(mac: string): readonly DeviceNote[] {
    return recentNotes(this.#known.get(mac)?.facts.notes ?? [], unixTime());
  }

  /** What a user called it; null: nobody did. */
  nameOf(mac: string): string | null {
    return this.#known.get(mac)?.name ?? null;
  }

  /** Whether a device that is no node is called so. */
  isTaken(name: string): boolean {
    return this.#known.values().some((device) => device.name === name);
  }

  /** Throws UserError CONFLICT when another device has that name. */
  async rename(mac: string, name: string): Promise<void> {
    await this.#inTurn(async () => {
      const device = this.#known.get(mac);
      if (!device || device.name === name) return;
      if (this.isTaken(name)) throw nameTaken(name);
      this.#known.set(mac, { ...device, name });
      await this.#store.write(this.#known);
    });
  }

  /** Until it is heard again. */
  async forget(mac: string): Promise<void> {
    await this.#inTurn(async () => {
      this.#requests.drop(mac);
      this.#known.delete(mac);
      await this.#store.write(this.#known);
    });
  }

  /** A node, or a machine before it is one, asked for a boot file, by its path or URL. */
  asked(ip: string, protocol: 'tftp' | 'http', path: string): void {
    const file = `${protocol}:${textOf(Buffer.from(path)) ?? ''}`;
    this.#files.keep(ip, file);
    this.#lookSoon();
  }

  /** A node tells which port of which switch it is plugged into. */
  pluggedInto(mac: string, place: { mac: string; port: string }): void {
    // The last word counts.
    this.#neighbours.drop(mac);
    this.#neighbours.keep(mac, place);
    this.#lookSoon();
  }

  /** Something of a node that should be told as long as it is so; `text` undefined: it is not. */
  async note(mac: string, kind: DeviceNote['kind'], text: string | undefined): Promise<void> {
    if (text === undefined && !this.#known.get(mac)?.facts.notes.some((note) => note.kind === kind)) return;
    await this.#inTurn(async () => {
      const now = unixTime();
      const device = this.#known.get(mac) ?? newDevice(mac, now);
      const note = text === undefined ? undefined : { kind, at: now, text };
      if (note) this.#tell(mac, [note]);
      const facts = note ? withNote(device.facts, note, now) : withoutNote(device.facts, kind);
      this.#known.set(mac, { ...device, facts });
      await this.#store.write(this.#known);
    });
  }

  /** Notes what was heard, and looks at leases and ports. */
  async look(): Promise<void> {
    await this.#inTurn(() => this.#look());
  }

  #hear(request: DhcpRequest): void {
    this.#requests.keep(request.mac, request);
    this.#deps.nodes.heard?.(request.mac);
    this.#lookSoon();
  }

  #lookSoon(): void {
    if (this.#soon) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.look().catch((error) => this.#warn('cannot note devices', { error: String(error) }));
    }, NOTE_DELAY).unref();
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {}); // the caller gets the error
    await result;
  }

  async #look(): Promise<void> {
    const { network, nodes } = this.#deps;
    const [addresses, leases, ports] = await Promise.all([nodes.all(), network.leases(), this.#ports()]);
    const now = unixTime();
    const known = new Map(addresses.map(({ mac, ip }) => [mac, ip]));
    this.#dropFormerNodes(known);
    this.#takeRequests(known, now);
    // A permanent address is a node's, or was: its lease is ended as soon as the node is removed.
    const lent = leases.filter(({ ip }) => network.isLent(ip));
    for (const device of afterLeases(this.#known, lent, known, now)) this.#known.set(device.mac, device);
    this.#takeFiles(addresses, now);
    for (const [mac, [place]] of this.#neighbours.take()) {
      const device = this.#known.get(mac) ?? newDevice(mac, now);
      const neighbour = place ? { ...place, at: now } : null;
      if (known.has(mac)) this.#known.set(mac, { ...device, facts: { ...device.facts, neighbour } });
    }
    for (const device of this.#known.values()) {
      const port = ports.get(device.mac);
      if (port !== undefined) this.#change(device, afterPort(device.facts, port, now));
    }
    for (const mac of needless(this.#known, known, this.#deps.limits.unknownDevices, now))
      this.#known.delete(mac);
    await this.#store.write(this.#known);
  }

  /** A table that somebody has filled with made-up addresses is too large: ports are not what matters then. */
  async #ports(): Promise<Map<string, string>> {
    try {
      return await this.#deps.network.ports();
    } catch (error) {
      if (!isExternalError(error)) throw error;
      this.#warn('cannot tell the ports of devices', { reason: error.message });
      return new Map();
    }
  }

  /** What was a node a moment ago, and is none: its owner has removed it, with what it said just before its end. */
  #dropFormerNodes(nodes: ReadonlyMap<string, string>): void {
    for (const mac of this.#nodes) {
      if (nodes.has(mac)) continue;
      this.#known.delete(mac);
      this.#requests.drop(mac);
    }
    this.#nodes = new Set(nodes.keys());
  }

  #takeRequests(nodes: ReadonlyMap<string, string>, now: number): void {
    for (const [mac, requests] of this.#requests.take()) {
      const isNew = !this.#known.has(mac) && !nodes.has(mac);
      let device = this.#known.get(mac) ?? newDevice(mac, now);
      for (const request of requests) {
        const { facts, told } = afterRequest(device.facts, request, now);
        device = { ...device, facts, last: now };
        this.#tell(mac, told);
      }
      this.#known.set(mac, device);
      const { vendorClass, hostname } = device.facts;
      if (isNew) this.#inform('an unknown device asks for an address', { mac, vendorClass, hostname }, mac);
    }
  }

  #takeFiles(nodes: readonly NodeAddress[], now: number): void {
    const macs = new Map<string, string>();
    for (const { mac, ip } of [...this.#known.values(), ...nodes]) if (ip !== null) macs.set(ip, mac);
    for (const [ip, files] of this.#files.take()) {
      const mac = macs.get(ip);
      const device = mac === undefined ? undefined : this.#known.get(mac);
      if (!device) continue;
      this.#known.set(device.mac, { ...device, facts: files.reduce(afterFile, device.facts), last: now });
    }
  }

  #change(device: Device, { facts, told }: { facts: Facts; told: DeviceNote[] }): void {
    if (facts !== device.facts) this.#known.set(device.mac, { ...device, facts });
    this.#tell(device.mac, told);
  }

  #tell(mac: string, notes: readonly DeviceNote[]): void {
    const ip = this.#known.get(mac)?.ip;
    for (const { kind, text } of notes) this.#warn(EVENTS[kind], { mac, ip, told: text }, mac);
  }
}

export function nameTaken(name: string): UserError {
  return new UserError('CONFLICT', `There is a device named "${name}" already.`, 'Choose another name.');
}

function unixTime(): number {
  return Math.floor(Date.now() / 1000);
}
