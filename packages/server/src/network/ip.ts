import { z } from 'zod';
import { attempt, isExternalError, run, UserError } from '../platform/index.ts';

/** What we read of `ip -json -details link show`. */
const link = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  ifalias: z.string().optional(),
  address: z.string().optional(),
  master: z.string().optional(),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
});
export type Link = z.infer<typeof link>;

/** Runs iproute2's `ip`. Throws ExternalError when it refuses. */
export async function ip(...args: string[]): Promise<string> {
  return run(['ip', ...args]);
}

/** All links of a named network namespace; without a name, of the one that we are in. */
export async function links(namespace?: string): Promise<Link[]> {
  const where = namespace === undefined ? [] : ['-netns', namespace];
  return z.array(link).parse(JSON.parse(await ip(...where, '-json', '-details', 'link', 'show')));
}

const addressList = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string(), prefixlen: z.number() })) }),
);

/** IPv4 addresses of a link where we are, each as ADDRESS/PREFIX. */
export async function addresses(name: string): Promise<string[]> {
  const shown = addressList.parse(JSON.parse(await ip('-4', '-json', 'address', 'show', 'dev', name)));
  return shown.flatMap(({ addr_info }) => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`));
}

/** Throws UserError UNAVAILABLE when iproute2 is not installed. */
export async function requireIp(): Promise<void> {
  try {
    await attempt(['ip', '-Version']);
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      'The program "ip" is missing on this machine.',
      'Install the package iproute2, then start again.',
    );
  }
}
