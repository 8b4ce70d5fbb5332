/** Questions by HTTP, as WalT's users know them (`/api/v1`): read from a URL's query, and answered by data. Pure. */
import type { Image, Node, NodeSettingValue } from '@walt/contract';
import { UserError } from '../platform/index.ts';

/** Seconds of Unix time before which no platform had logs: who asks for it means another unit. */
const FIRST = Date.UTC(2012) / 1000;
/** Seconds by which the asker's clock may be ahead. */
const AHEAD = 86_400;

export interface LogQuestion {
  /** Microseconds of Unix time. */
  from: number;
  to: number;
  issuer: string | undefined;
  stream: string | undefined;
  unit: 's' | 'ms';
}

/** Throws UserError INVALID. */
export function logQuestion(query: URLSearchParams, now: number): LogQuestion {
  const {
    from,
    to,
    ts_unit: unit = 's',
    issuer,
    stream,
  } = wordsOf(query, ['from', 'to', 'ts_unit', 'issuer', 'stream']);
  if (unit !== 's' && unit !== 'ms') throw invalid(`ts_unit is s or ms, not ${JSON.stringify(unit)}.`);
  const time = (name: string, text: string | undefined): number => {
    if (text === undefined)
      throw invalid(`The parameter ${name} is missing: a number of seconds since 1970.`);
    const seconds = /^\d{1,15}(?:\.\d{1,9})?$/.test(text)
      ? Number(text) / (unit === 's' ? 1 : 1000)
      : Number.NaN;
    if (!(seconds >= FIRST && seconds <= now / 1000 + AHEAD)) {
      throw invalid(
        `${name}=${text.slice(0, 40)} is no time between 2012 and now, in ${unit === 's' ? 'seconds' : 'milliseconds'}.`,
      );
    }
    return Math.round(seconds * 1e6);
  };
  const times = { from: time('from', from), to: time('to', to) };
  if (times.from > times.to) throw invalid('The parameter from is later than to.');
  return { ...times, issuer, stream, unit };
}

/** Microseconds of Unix time in a unit, as JSON: a number of JavaScript has not always so many digits. */
export function timeIn(unit: LogQuestion['unit'], micros: number): string {
  const digits = unit === 's' ? 6 : 3;
  const text = String(micros).padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

type NodeData = ReturnType<typeof nodeData>;
type ImageData = ReturnType<typeof imageData>;

/** Throws UserError INVALID. */
export function selectNodes(
  query: URLSearchParams,
  all: readonly NodeData[],
): { num_nodes: number; nodes: NodeData[] } {
  const words = wordsOf(query, ['name', 'model', 'virtual', 'image', 'booted', 'ip', 'mac']);
  const nodes = all.filter((node) => fits(node, words));
  return { num_nodes: nodes.length, nodes };
}

/** Throws UserError INVALID. `refresh` is taken, since what is told is always up to date. */
export function selectImages(
  query: URLSearchParams,
  all: readonly ImageData[],
): { num_images: number; images: ImageData[] } {
  const { refresh, ...words } = wordsOf(query, ['fullname', 'user', 'id', 'in_use', 'refresh']);
  if (refresh !== undefined) requireBoolean('refresh', refresh);
  const images = all.filter((image) => fits(image, words));
  return { num_images: images.length, images };
}

export function nodeData(node: Node, settings: readonly NodeSettingValue[]) {
  const { name, model, type, image, state, ip, mac } = node;
  return {
    ...{ name, model, virtual: type === 'virtual', image, booted: state === 'booted', ip, mac },
    config: Object.fromEntries(settings.map((setting) => [setting.name, setting.value])),
  };
}

export function imageData({ fullName, owner, digest, nodes, session, created, models }: Image) {
  return {
    ...{ fullname: fullName, user: owner, id: digest.replace(/^sha256:/, '') },
    ...{ in_use: nodes.length > 0 || session, created: dateOf(created), compatibility: models },
  };
}

/** In this machine's time, to the second. */
function dateOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** Whether the data has all these values. Throws UserError INVALID for what is neither true nor false where that is asked for. */
function fits(
  data: Readonly<Record<string, unknown>>,
  words: Readonly<Record<string, string | undefined>>,
): boolean {
  return Object.entries(words).every(([name, word]) => {
    if (word === undefined) return true;
    if (typeof data[name] === 'boolean') return data[name] === requireBoolean(name, word);
    return data[name] === word;
  });
}

function requireBoolean(name: string, word: string): boolean {
  if (word !== 'true' && word !== 'false')
    throw invalid(`${name} is true or false, not ${JSON.stringify(word.slice(0, 40))}.`);
  return word === 'true';
}

function wordsOf<Name extends string>(
  query: URLSearchParams,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  for (const name of query.keys()) {
    if (!(known as readonly string[]).includes(name)) {
      throw invalid(
        `There is no parameter ${JSON.stringify(name.slice(0, 40))}: those are ${known.join(', ')}.`,
      );
    }
  }
  return Object.fromEntries(query) as Partial<Record<Name, string>>;
}

function invalid(message: string): UserError {
  return new UserError('INVALID', message, 'See the parameters with: walt help show web');
}
