/** Programs that people and scripts on nodes call, at the places and by the names that WalT 10 has for them. */
import type { BootRecord, LentFile } from '../boot-files.ts';
import { TOOLS } from '../lent-paths.ts';

/** What lies in `bin`, and where it leads: to the platform's layer, or to the identity layer. */
const LINKS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['echo', 'cat', 'tee', 'monitor'].flatMap((what) =>
      [`walt-log-${what}`, `walt-${what}`].map((name) => [name, `${TOOLS}/bin/walt-log-${what}`]),
    ),
  ),
  'walt-env': '/etc/walt/env',
  'walt-rpc': `${TOOLS}/bin/walt-rpc`,
  'walt-report-lldp-neighbor': `${TOOLS}/bin/walt-report-lldp-neighbor`,
  '_walt_internal_/walt-rpc': `${TOOLS}/bin/walt-rpc`,
  '_walt_internal_/walt-timeout': `${TOOLS}/bin/walt-timeout`,
  '_walt_internal_/walt-clock-sync': `${TOOLS}/bin/walt-clock-sync`,
};

/** What the identity layer has for an image beside the node's own files: those programs, and what the image lacks. */
export function filesOfIdentity({ bin, loan }: Pick<BootRecord, 'bin' | 'loan'>): LentFile[] {
  const links = bin === undefined ? [] : Object.entries(LINKS);
  return [
    ...links.map(([name, target]): LentFile => ({ type: 'link', path: `${bin}/${name}`, target })),
    ...(loan?.files ?? []),
  ];
}
