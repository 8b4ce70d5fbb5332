import type { Config } from './config.ts';

/** Name under which the host's own network namespace is kept, seen from inside the platform's one. */
export function hostNamespace(config: { network: Pick<Config['network'], 'namespace'> }): string {
  return `${config.network.namespace}-host`;
}

/** File that stands for a named network namespace (ip-netns(8)). */
export function namespaceFile(name: string): string {
  return `/run/netns/${name}`;
}

/** The same command, run with the host's network: for programs that reach registries and package mirrors. */
export function hostNetwork(
  config: { network: Pick<Config['network'], 'namespace'> },
  argv: readonly string[],
): string[] {
  return ['nsenter', `--net=${namespaceFile(hostNamespace(config))}`, '--', ...argv];
}
