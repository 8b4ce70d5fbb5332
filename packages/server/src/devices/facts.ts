/** What is known of a network adapter, and what follows when it is heard again. Pure; all times are Unix times in seconds. */
import type { DeviceNote } from '@walt/contract';
import type { DhcpRequest } from '../network/index.ts';

/** What a device tells of itself. */
export interface Facts {
  hostname: string | null;
  vendorClass: string | null;
  userClass: string | null;
  architecture: number | null;
  /** The latest boot files that it asked for, the last one last. */
  files: readonly string[];
  /** What should stay the same as long as it is the same machine in the same place. */
  uuid: Trace | null;
  name: Trace | null;
  port: Trace | null;
  /** The port of a switch that it is plugged into, as it has heard from there by LLDP. */
  neighbour: SwitchPort | null;
  notes: readonly DeviceNote[];
}

export interface SwitchPort {
  mac: string;
  port: string;
  /** Unix time in seconds when it told so last. */
  at: number;
}

/** A value that rarely changes, and the one before. */
export interface Trace {
  value: string;
  /** The value before, and until when it was seen. */
  former: { value: string; until: number } | null;
}

export const nothingKnown: Facts = {
  ...{ hostname: null, vendorClass: null, userClass: null, architecture: null },
  ...{ files: [], uuid: null, name: null, port: null, neighbour: null, notes: [] },
};

/** Boot files that are remembered: a Raspberry Pi's firmware asks for twenty, and the last ones tell how far it came. */
const MAX_FILES = 8;
/** Seconds for which a note is shown. */
const NOTE_DAYS = 7 * 86_400;
/**
 * Seconds in which a value that changes and changes back tells of two machines, not of one that was changed. A boot of each lies
 * between two that tell their UUID; a name is told again with each lease, and a port with each frame.
 */
const ALTERNATION = { uuid: 3600, name: 120, port: 60 };

interface Heard {
  facts: Facts;
  /** What the journal is to tell. */
  told: DeviceNote[];
}

/** After a request to DHCP. */
export function afterRequest(facts: Facts, request: DhcpRequest, now: number): Heard {
  const uuid = follow(facts.uuid, request.uuid && oneByteOrder(request.uuid), ALTERNATION.uuid, now);
  const name = follow(facts.name, request.hostname, ALTERNATION.name, now);
  const told: DeviceNote[] = [];
  if (uuid.event === 'alternates' || name.event === 'alternates') {
    const [what, trace] = uuid.event === 'alternates' ? ['UUID', uuid.trace] : ['host name', name.trace];
    const values = `${what} ${trace?.value} and ${trace?.former?.value}`;
    const text = `Two machines have this hardware address: ${values} ask in turn.`;
    told.push({ kind: 'two-machines', at: now, text });
  } else if (uuid.event === 'changed') {
    const { value, former } = uuid.trace;
    const text = `Its adapter is in another machine now: it was the one with UUID ${former?.value}, it is ${value}.`;
    told.push({ kind: 'other-machine', at: now, text });
  }
  return {
    facts: {
      ...facts,
      hostname: request.hostname ?? facts.hostname,
      vendorClass: request.vendorClass ?? facts.vendorClass,
      userClass: request.userClass ?? facts.userClass,
      architecture: request.architecture ?? facts.architecture,
      uuid: uuid.trace,
      name: name.trace,
      notes: withNotes(facts.notes, told, now),
    },
    told,
  };
}

/** After it was heard on a port of the bridge. */
export function afterPort(facts: Facts, port: string, now: number): Heard {
  const { event, trace } = follow(facts.port, port, ALTERNATION.port, now);
  if (event === 'same') return { facts: facts.port ? facts : { ...facts, port: trace }, told: [] };
  const note: DeviceNote =
    event === 'alternates'
      ? {
          ...{ kind: 'two-machines', at: now },
          text: `Two machines have this hardware address, or a cable makes a loop: it is on ${port} and on ${trace?.former?.value}.`,
        }
      : { kind: 'moved', at: now, text: `It moved from port ${trace?.former?.value} to ${port}.` };
  return { facts: { ...facts, port: trace, notes: withNotes(facts.notes, [note], now) }, told: [note] };
}

/** After it asked for a boot file, told as `tftp:PATH` or `http:PATH`. */
export function afterFile(facts: Facts, file: string): Facts {
  return { ...facts, files: [...facts.files.filter((one) => one !== file), file].slice(-MAX_FILES) };
}

/** Notes that are not too old to matter. */
export function recentNotes(notes: readonly DeviceNote[], now: number): DeviceNote[] {
  return notes.filter(({ at }) => now - at < NOTE_DAYS);
}

export function withNote(facts: Facts, note: DeviceNote, now: number): Facts {
  return { ...facts, notes: withNotes(facts.notes, [note], now) };
}

export function withoutNote(facts: Facts, kind: DeviceNote['kind']): Facts {
  return { ...facts, notes: facts.notes.filter((note) => note.kind !== kind) };
}

/** One of each kind: the last. */
function withNotes(notes: readonly DeviceNote[], fresh: readonly DeviceNote[], now: number): DeviceNote[] {
  const kinds = new Set(fresh.map(({ kind }) => kind));
  return [...recentNotes(notes, now).filter(({ kind }) => !kinds.has(kind)), ...fresh];
}

type Followed =
  | { event: 'same'; trace: Trace | null }
  | { event: 'changed' | 'alternates'; trace: Trace & { former: { value: string; until: number } } };

function follow(trace: Trace | null, value: string | null, window: number, now: number): Followed {
  if (value === null || value === trace?.value) return { event: 'same', trace };
  if (trace === null) return { event: 'same', trace: { value, former: null } };
  const { former } = trace;
  const back = former?.value === value && now - former.until < window;
  return {
    event: back ? 'alternates' : 'changed',
    trace: { value, former: { value: trace.value, until: now } },
  };
}

/** Firmware and iPXE tell the same UUID with the first three parts in either order of bytes (RFC 4578, SMBIOS 7.2.1). */
function oneByteOrder(uuid: string): string {
  const turned = (text: string) => (text.match(/../g) ?? []).reverse().join('');
  const other = `${turned(uuid.slice(0, 8))}${turned(uuid.slice(8, 12))}${turned(uuid.slice(12, 16))}${uuid.slice(16)}`;
  return uuid < other ? uuid : other;
}
