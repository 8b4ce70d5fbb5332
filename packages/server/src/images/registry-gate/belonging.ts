import type { Order } from './protocol.ts';

/** Where Docker Hub gives out its tokens. */
const HUB_ORIGIN = 'https://registry-1.docker.io';
const HUB_TOKENS = 'https://auth.docker.io';

/**
 * Whether what answers at `url` is the registry, for passwords and for addresses that only we can reach: its own origin, its own
 * host by HTTPS, or a host that the administrator named.
 */
export function belongs(url: URL, { origin, otherHosts }: Pick<Order, 'origin' | 'otherHosts'>): boolean {
  const own = new URL(origin);
  if (url.origin === own.origin) return true;
  if (isDowngrade(url, origin)) return false;
  if (url.protocol === 'https:' && url.hostname === own.hostname) return true;
  if (own.origin === HUB_ORIGIN && url.origin === HUB_TOKENS) return true;
  return otherHosts.includes(url.host);
}

/** True for a way that others can read, offered by a registry that is asked by HTTPS; and for what is no HTTP at all. */
export function isDowngrade(url: URL, origin: string): boolean {
  return url.protocol !== 'https:' && !(url.protocol === 'http:' && origin.startsWith('http:'));
}
