/** Hosts that `walt-server host add` made, and how SSH reaches them. Slurm knows nothing of that. */
import * as z from 'zod';
import { type Paths, readIfPresent, withFileLock, writeFileAtomic } from '../../../../platform/index.ts';

const knownHost = z.object({
  name: z.string(),
  /** `ssh://…` */
  url: z.string(),
  /** At which Slurm reaches it, and its tunnel ends. */
  address: z.string(),
});

export type KnownHost = z.infer<typeof knownHost>;

type Where = Pick<Paths, 'hosts'>;

/** By name. */
export async function knownHosts({ hosts }: Where): Promise<KnownHost[]> {
  const text = await readIfPresent(hosts);
  return text === undefined ? [] : z.array(knownHost).parse(JSON.parse(text));
}

export async function noteHost(paths: Where, host: KnownHost): Promise<void> {
  await change(paths, (all) => [...without(all, host.name), host]);
}

export async function forgetHost(paths: Where, name: string): Promise<void> {
  await change(paths, (all) => without(all, name));
}

function without(all: readonly KnownHost[], name: string): KnownHost[] {
  return all.filter((host) => host.name !== name);
}

/** One at a time: several hosts may be added at once, by commands that know nothing of each other. */
async function change(paths: Where, by: (all: readonly KnownHost[]) => KnownHost[]): Promise<void> {
  const act = async () => write(paths, by(await knownHosts(paths)));
  await withFileLock(`${paths.hosts}.lock`, AbortSignal.timeout(60_000), () => {}, act);
}

async function write({ hosts }: Where, all: readonly KnownHost[]): Promise<void> {
  const sorted = all.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  await writeFileAtomic(hosts, `${JSON.stringify(sorted, null, 1)}\n`, 0o600);
}
