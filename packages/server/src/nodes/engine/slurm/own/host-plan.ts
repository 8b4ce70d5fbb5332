/** What a machine is to be as a host: as it is told now, and was before. Pure. */
import { UserError } from '../../../../platform/index.ts';
import { keepsVolumes, NO_NODES, runsNodes, VOLUMES } from '../features.ts';
import { checkFeature, checkHostName, isFound } from './host-words.ts';

export interface HostWish {
  name: string;
  /** `ssh://[USER@]HOST[:PORT]` */
  url: string;
  /** Beside those that are found. */
  features: readonly string[];
  /** It must have KVM that works. */
  kvm: boolean;
  /** It keeps copies of volumes; `only`: and runs no nodes. */
  volumes: boolean | 'only';
}

export interface HostPlan {
  nodes: boolean;
  volumes: boolean;
  /** Words for what it has, beside those that are found and those for what it does. */
  features: readonly string[];
}

/**
 * A repeat adds to what the host was told to be. `before`: features of the host of that name; undefined: there is none. Throws UserError
 * INVALID where words make no sense, CONFLICT where a host would have to be another one.
 */
export function planHost(wish: HostWish, before: readonly string[] | undefined): HostPlan {
  const { name, features, kvm, volumes } = wish;
  checkHostName(name);
  for (const feature of features) checkFeature(feature);
  const known = before && { features: before };
  if (volumes === 'only' && known && runsNodes(known))
    throw new UserError(
      'CONFLICT',
      `The host ${name} runs virtual nodes.`,
      `That it also keeps volumes: --volumes. That it does nothing else, remove it first: walt-server host remove ${name}`,
    );
  const nodes = known ? runsNodes(known) : volumes !== 'only';
  if (kvm && !nodes)
    throw new UserError(
      'INVALID',
      `${name} is to keep volumes only, and --kvm is about virtual nodes.`,
      known
        ? `That it runs some, remove it first: walt-server host remove ${name}`
        : 'Say --volumes for both, or leave --kvm out.',
    );
  const said = (before ?? []).filter((word) => !isFound(word) && word !== VOLUMES && word !== NO_NODES);
  return {
    nodes,
    volumes: volumes !== false || (known !== undefined && keepsVolumes(known)),
    features: [...new Set([...said, ...features])],
  };
}

/** `found`: words for what was found of the machine. */
export function featuresOf(plan: HostPlan, found: readonly string[]): string[] {
  const does = [...(plan.volumes ? [VOLUMES] : []), ...(plan.nodes ? [] : [NO_NODES])];
  return [...found, ...plan.features, ...does];
}
