import { type FoundImage, hubRepository, isRepository, REGISTRY_TAG } from '@walt/contract';
import * as z from 'zod';
import type { RegistryConfig } from '../../platform/index.ts';
import type { RegistryGate } from '../registry-gate/index.ts';

/** Names of a registry's catalogue that are looked at, and requests for them. */
const MAX_NAMES = 10_000;
const MAX_PAGES = 100;
/** Repositories of one registry whose tags are asked for; each is a request of its own. */
const MAX_REPOSITORIES = 100;
/** Tags of one repository that are shown. */
const MAX_TAGS = 1000;
/** Requests to one registry at a time. */
const PARALLEL = 4;
/** What Docker Hub's search answers at most. */
const HUB_RESULTS = 100;

export interface Found {
  images: FoundImage[];
  /** True when the registry has more than was looked at. */
  cut: boolean;
}

/**
 * Images of a registry whose name contains `keyword`: of Docker Hub what its own search finds, of others their catalogue
 * (distribution-spec: `/v2/_catalog`) with all tags. Throws UserError.
 */
export async function searchRegistry(
  gate: RegistryGate,
  kind: RegistryConfig['kind'],
  keyword: string | undefined,
): Promise<Found> {
  const { label } = gate.access;
  if (kind === 'docker-hub') {
    // It answers nothing without a word to look for.
    const repositories = keyword === undefined ? [] : await searchHub(gate, keyword);
    const images = repositories.map(({ name, description }) => found(label, name, description));
    return { images, cut: false };
  }
  const all = await listed(gate, '/v2/_catalog?n=1000', catalogue, MAX_NAMES);
  const fitting = all.names.filter((name) => keyword === undefined || name.includes(keyword.toLowerCase()));
  const queue = fitting.slice(0, MAX_REPOSITORIES);
  const images: FoundImage[] = [];
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const { names } = await listed(gate, `/v2/${name}/tags/list?n=${MAX_TAGS}`, tagList, MAX_TAGS, name);
      images.push(...names.map((tag) => found(label, `${name}:${tag}`)));
    }
  };
  // Not `inParallel`: who searches hears of a failure at once, and not when slow answers have come.
  await Promise.all(Array.from({ length: PARALLEL }, work));
  images.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { images, cut: all.more || fitting.length > MAX_REPOSITORIES };
}

/** Goes through the pages of a list until it ends or is long enough. What is no name is left out. */
async function listed(
  gate: RegistryGate,
  first: string,
  schema: z.ZodType<string[]>,
  most: number,
  what?: string,
): Promise<{ names: string[]; more: boolean }> {
  const names = new Set<string>();
  let page: string | undefined = first;
  for (let pages = 0; page !== undefined && pages < MAX_PAGES && names.size < most; pages += 1) {
    const { data, next } = await gate.json(page, what);
    const before = names.size;
    for (const name of schema.safeParse(data).data ?? []) {
      if (names.size < most) names.add(name);
    }
    // A page without anything new leads round in circles.
    page = names.size > before ? next : undefined;
  }
  return { names: [...names], more: page !== undefined };
}

async function searchHub(
  gate: RegistryGate,
  keyword: string,
): Promise<{ name: string; description: string }[]> {
  const query = new URLSearchParams({ q: keyword, n: String(HUB_RESULTS) });
  const { data } = await gate.json(`/v1/search?${query}`);
  return (hubResults.safeParse(data).data?.results ?? []).map(({ name, description }) => ({
    name: hubRepository(name),
    description: (description ?? '').replaceAll(/\p{C}/gu, ' '),
  }));
}

/** Only names that a link can have: others cannot be cloned, and may be made to look like something else. */
const catalogue = namesAt('repositories', isRepository);
const tagList = namesAt('tags', (tag) => REGISTRY_TAG.test(tag));

function namesAt(key: string, isName: (name: string) => boolean) {
  return z
    .record(z.string(), z.unknown())
    .transform((data) => z.array(z.unknown()).safeParse(data[key]).data ?? [])
    .transform((all) => all.filter((name): name is string => typeof name === 'string' && isName(name)));
}

const hubResults = z.object({
  results: z
    .array(z.object({ name: z.string().refine(isRepository), description: z.string().max(10_000).nullish() }))
    .max(1000),
});

function found(label: string, name: string, description = ''): FoundImage {
  return { location: label, name, link: `${label}:${name}`, architecture: null, description };
}
