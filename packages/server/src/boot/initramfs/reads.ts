/**
 * What nodes read of each volume while they boot. It is much the same at each boot: the first node that boots a volume reports
 * it, and the next ones read it ahead, in few large reads instead of many small ones that each wait for the server, and in
 * the order in which it is needed.
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { fileExists, namesIn, type Paths, readIfPresent, writeFileAtomic } from '../../platform/index.ts';

/** Part of a volume, in KiB, and when it is needed: the number of the first read of it, of all reads of a boot. */
export type Range = [start: number, length: number, at: number];

/** Largest read in KiB: as much as an NFS client asks for at once. */
const MAX_READ = 1024;
/** KiB that are read without need rather than making two reads of one: a process start costs an emulated CPU more. */
const MAX_GAP = 32;
/** KiB of a volume that are read ahead at most, whatever a node reports: memory and network are the next node's. */
const MAX_VOLUME = 64 * 1024;
const MAX_RANGES = 2000;
/** Bytes of a report. */
export const MAX_READS_REPORT = 256 * 1024;

const ranges = z
  .array(z.tuple([z.int().nonnegative(), z.int().positive().max(MAX_READ), z.int().nonnegative()]))
  .max(MAX_RANGES);

export class Reads {
  readonly #paths: Pick<Paths, 'reads' | 'volumes'>;

  constructor(paths: Pick<Paths, 'reads' | 'volumes'>) {
    this.#paths = paths;
  }

  /** What is known of these volumes, what is needed first in front; `complete` when it is known of each. */
  async of(volumes: readonly string[]): Promise<{ complete: boolean; ranges: [volume: string, ...Range][] }> {
    const known = await Promise.all(volumes.map((volume) => this.#known(volume)));
    return {
      complete: !known.includes(undefined),
      ranges: known
        .flatMap((of, index) =>
          (of ?? []).map((range): [string, ...Range] => [volumes[index] ?? '', ...range]),
        )
        .sort(([, , , a], [, , , b]) => a - b),
    };
  }

  /** Notes a node's report for those of its volumes of which nothing is known: who comes later changes nothing for others. */
  async learn(volumes: readonly string[], report: string): Promise<void> {
    const reads = parseReport(report);
    await mkdir(this.#paths.reads, { recursive: true });
    for (const [index, volume] of volumes.entries()) {
      if (await this.#known(volume)) continue;
      const { size } = await stat(join(this.#paths.volumes, volume));
      const learned = mergeReads(
        reads.flatMap(({ volume, range }) => (volume === index ? [range] : [])),
        size,
      );
      await writeFileAtomic(this.#file(volume), JSON.stringify(learned));
    }
  }

  /** Forgets volumes that are no more. */
  async sweep(): Promise<void> {
    for (const name of await namesIn(this.#paths.reads)) {
      const volume = name.replace(/\.json$/, '');
      if (!(await fileExists(join(this.#paths.volumes, volume)))) await rm(join(this.#paths.reads, name));
    }
  }

  /** Undefined when nothing is known, or only what an older server wrote in another form. */
  async #known(volume: string): Promise<Range[] | undefined> {
    const text = await readIfPresent(this.#file(volume));
    return text === undefined ? undefined : ranges.safeParse(JSON.parse(text)).data;
  }

  /** `volume` is a name that the server made. */
  #file(volume: string): string {
    return join(this.#paths.reads, `${volume}.json`);
  }
}

/** A report has a line per read: number of the volume, first sector, number of sectors. Other lines are left out. */
function parseReport(report: string): { volume: number; range: Range }[] {
  return report.split('\n').flatMap((line, at) => {
    const numbers = /^(\d{1,5}) (\d{1,12}) (\d{1,6})$/.exec(line)?.slice(1).map(Number);
    if (!numbers) return [];
    const [volume = 0, sector = 0, sectors = 0] = numbers;
    const start = Math.floor(sector / 2);
    return [{ volume, range: [start, Math.ceil((sector + sectors) / 2) - start, at] }];
  });
}

/**
 * Joins reads that touch, or nearly so, and orders them by when the first of them came. `size`: bytes of the volume; what lies
 * behind its end is left out.
 */
export function mergeReads(reads: readonly Range[], size: number): Range[] {
  const end = Math.ceil(size / 1024);
  const joined: { start: number; end: number; at: number }[] = [];
  for (const [start, length, at] of reads.toSorted(([a], [b]) => a - b)) {
    if (start >= end) break;
    const last = joined.at(-1);
    const stop = Math.min(start + length, end);
    if (last && start - last.end <= MAX_GAP) {
      last.end = Math.max(last.end, stop);
      last.at = Math.min(last.at, at);
    } else joined.push({ start, end: stop, at });
  }
  const merged: Range[] = [];
  let left = MAX_VOLUME;
  for (const range of joined.sort((a, b) => a.at - b.at)) {
    for (let start = range.start; start < range.end && left > 0 && merged.length < MAX_RANGES; ) {
      const length = Math.min(range.end - start, MAX_READ, left);
      merged.push([start, length, range.at]);
      start += length;
      left -= length;
    }
  }
  return merged;
}
