import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { readIfPresent, writeFileAtomic } from '../files.ts';
import type { Paths } from '../paths.ts';
import { bootId, isAlive, type ProcessIdentity } from './process.ts';

const schema = z.object({
  argv: z.array(z.string()),
  pid: z.int().positive(),
  startTime: z.string(),
  bootId: z.string(),
});

/** What a later server must know of a program in order to adopt it. */
export type ProgramRecord = z.infer<typeof schema>;

/** The process of a program that runs, for who is not its server. */
export async function findProgram(
  { programs }: Pick<Paths, 'programs'>,
  name: string,
): Promise<ProcessIdentity | undefined> {
  const record = await new ProgramRecords(programs).read(name);
  return record && record.bootId === bootId() && isAlive(record) ? record : undefined;
}

/** The folder `paths.programs`: one `NAME.json` for each program that was started and not stopped on purpose. */
export class ProgramRecords {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when there is none, or when it cannot be read: it is then as good as none. */
  async read(name: string): Promise<ProgramRecord | undefined> {
    const text = await readIfPresent(this.#path(name));
    if (text === undefined) return undefined;
    try {
      return schema.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined; // not JSON
    }
  }

  async write(name: string, record: ProgramRecord): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await writeFileAtomic(this.#path(name), JSON.stringify(record));
  }

  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true });
  }

  /** Sorted. */
  async names(): Promise<string[]> {
    await mkdir(this.#folder, { recursive: true });
    const files = await readdir(this.#folder);
    return files
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .sort();
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}
