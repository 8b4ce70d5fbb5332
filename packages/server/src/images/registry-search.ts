import type { FoundImage } from '@walt/contract';
import { z } from 'zod';
import { attempt, ExternalError, type RegistryConfig } from '../platform/index.ts';
import { explainRegistry } from './registry-failure.ts';
import { type RegistryAccess, registryEnv, type Skopeo } from './skopeo.ts';
import type { Store } from './store.ts';

/** Repositories of one registry whose tags are asked for; each is a request of its own. */
const MAX_REPOSITORIES = 100;
/** Requests to one registry at a time. */
const PARALLEL = 4;

/**
 * Images of a registry whose name contains `keyword`: of Docker Hub what its own search finds, of others their catalogue
 * (distribution-spec: `/v2/_catalog`) with all tags. Throws UserError.
 */
export async function searchRegistry(
  parts: { store: Store; skopeo: Skopeo },
  access: RegistryAccess,
  kind: RegistryConfig['kind'],
  keyword: string | undefined,
): Promise<FoundImage[]> {
  const { label } = access;
  if (kind === 'docker-hub') {
    // It answers nothing without a word to look for.
    const repositories = keyword === undefined ? [] : await catalogue(parts.store, access, keyword);
    return repositories.map(({ name, description }) => found(label, name, description));
  }
  const all = await catalogue(parts.store, access, '');
  const fitting = all.filter(({ name }) => keyword === undefined || name.includes(keyword.toLowerCase()));
  const queue = fitting.slice(0, MAX_REPOSITORIES);
  const images: FoundImage[] = [];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { name, description } = next;
      const tags = await parts.skopeo.tags(access, name);
      images.push(...tags.map((tag) => found(label, `${name}:${tag}`, description)));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return images.sort((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** podman knows both ways to ask: Docker Hub's search, and the catalogue of other registries. */
async function catalogue(
  store: Store,
  access: RegistryAccess,
  keyword: string,
): Promise<{ name: string; description: string }[]> {
  const { host, label, protocol, ca } = access;
  const options = [
    '--format',
    'json',
    '--no-trunc',
    '--limit',
    '1000',
    `--tls-verify=${protocol === 'https'}`,
  ];
  const { argv, env } = store.podman('search', ...options, '--', `${host}/${keyword}`);
  const result = await attempt(argv, {
    // `podman search` has no option for an authority's certificate, but Go's library reads this.
    env: { ...env, ...registryEnv(access), ...(ca !== undefined && { SSL_CERT_FILE: ca }) },
  });
  if (result.status !== 0) {
    throw (
      explainRegistry(result.stderr, { label, host }) ??
      new ExternalError(['podman', 'search', host], result.status, result.stderr)
    );
  }
  return repositories.parse(JSON.parse(result.stdout || '[]')).map(({ Name, Description }) => ({
    name: Name.slice(Name.indexOf('/') + 1),
    description: Description,
  }));
}

const repositories = z.array(z.object({ Name: z.string(), Description: z.string() }));

function found(label: string, name: string, description: string): FoundImage {
  return { location: label, name, link: `${label}:${name}`, architecture: null, description };
}
