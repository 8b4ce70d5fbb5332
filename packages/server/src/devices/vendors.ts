/** Who made a network adapter: the IEEE's list of prefixes of hardware addresses, from the npm package `oui-data`. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Digits of a prefix, the longest first: a maker of few adapters has a part of what others have. */
const LENGTHS = [9, 7, 6];
const NEWLINE = 10;
/** Characters of a name that are shown. */
const MAX_NAME = 48;

/** The list is read when it is asked, and searched by halves, since its lines lie in the order of their keys: parsed, it takes 80 MB. */
export class Vendors {
  #file: Promise<Buffer> | undefined;
  #users = 0;

  /** Names by hardware address; those that nobody knows are absent. Who asks at the same time shares one copy of the list. */
  async of(macs: Iterable<string>): Promise<Map<string, string>> {
    this.#file ??= readFile(fileURLToPath(import.meta.resolve('oui-data')));
    this.#users += 1;
    try {
      const file = await this.#file;
      const found = [...macs].map((mac): [string, string | undefined] => [mac, vendorIn(file, mac)]);
      return new Map(found.filter((pair): pair is [string, string] => pair[1] !== undefined));
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#file = undefined;
    }
  }
}

/** `file`: lines `"PREFIX": "NAME\nADDRESS…"`, sorted by length of the prefix, then by prefix. */
export function vendorIn(file: Buffer, mac: string): string | undefined {
  const digits = mac.replaceAll(':', '').toUpperCase();
  for (const length of LENGTHS) {
    const line = lineOf(file, digits.slice(0, length));
    const name = line && (JSON.parse(line) as string).split('\n')[0]?.trim();
    if (name) return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME)}…`;
  }
  return undefined;
}

/** The text of the value with that key, as JSON. */
function lineOf(file: Buffer, key: string): string | undefined {
  let [low, high] = [0, file.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const start = middle === 0 ? 0 : file.lastIndexOf(NEWLINE, middle - 1) + 1;
    const end = file.indexOf(NEWLINE, middle);
    const line = file.toString('utf8', start, end === -1 ? file.length : end);
    const [, own, value] = /^ *"([0-9A-F]+)": (".*"),?$/.exec(line) ?? [];
    if (own === key) return value;
    // The braces are the first line and the last.
    const isBefore = own === undefined ? start === 0 : order(own, key) < 0;
    if (isBefore) low = end === -1 ? file.length : end + 1;
    else high = start;
  }
  return undefined;
}

function order(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);
}
