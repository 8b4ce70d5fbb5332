import { rm } from 'node:fs/promises';
import * as z from 'zod';
import { readIfPresent, writeFileAtomic } from '../../platform/index.ts';
import { addressRecord, routeRecord } from './world.ts';

/** What an adapter was before walt-net had it; what was made for walt-net was not there. */
const taken = z.object({
  /** As the configuration had it. */
  name: z.string(),
  /** The kernel's name of it. */
  link: z.string(),
  up: z.boolean(),
  mtu: z.number(),
  promiscuous: z.boolean(),
  addresses: z.array(addressRecord),
  routes: z.array(routeRecord),
  /** It is a VLAN that was made, on this adapter of the host. */
  vlan: z.object({ parent: z.string(), parentUp: z.boolean() }).optional(),
});
export type Taken = z.infer<typeof taken>;

/** Since when (Unix seconds) an adapter is in a state, by its name. */
const since = z.record(z.string(), z.object({ state: z.string(), at: z.number() }));
type Since = z.infer<typeof since>;

const content = z.object({ taken: z.array(taken), since });

/**
 * What must be undone, in a file: it is there before anything is done, and survives a crash at any point. The runtime folder ends
 * with the machine's uptime, and so does what is undone.
 */
export class AdapterRecord {
  readonly #file: string;
  #taken: Taken[];
  #since: Since;

  private constructor(file: string, { taken, since }: z.infer<typeof content>) {
    this.#file = file;
    this.#taken = taken;
    this.#since = since;
  }

  static async open(file: string): Promise<AdapterRecord> {
    const text = await readIfPresent(file);
    return new AdapterRecord(
      file,
      text === undefined ? { taken: [], since: {} } : content.parse(JSON.parse(text)),
    );
  }

  get taken(): readonly Taken[] {
    return this.#taken;
  }

  /** The first word on an adapter stays until `remove`: what it is later is walt-net's doing, or a crash's. */
  async add(one: Taken): Promise<void> {
    if (this.#taken.some(({ name }) => name === one.name)) return;
    this.#taken.push(one);
    await this.#write();
  }

  async remove(name: string): Promise<void> {
    this.#taken = this.#taken.filter((one) => one.name !== name);
    delete this.#since[name];
    if (this.#taken.length > 0) await this.#write();
    else await rm(this.#file, { force: true });
  }

  /** Notes the state of an adapter; answers since when it is in it, and whether that is news. */
  async note(name: string, state: string): Promise<{ at: number; news: boolean }> {
    const last = this.#since[name];
    if (last?.state === state) return { at: last.at, news: false };
    const at = Math.floor(Date.now() / 1000);
    this.#since[name] = { state, at };
    await this.#write();
    return { at, news: true };
  }

  #write(): Promise<void> {
    return writeFileAtomic(
      this.#file,
      `${JSON.stringify({ taken: this.#taken, since: this.#since })}\n`,
      0o600,
    );
  }
}
