/** From where a node mounts its volumes. Pure. */
import { LEAST_LOADED, OWN_HOST, WALT_SERVER } from '@walt/contract';

/** A host that serves volumes. */
export interface ServerSeen {
  host: string;
  /** Volumes whose bytes are known to be right there. */
  has: ReadonlySet<string>;
  /** Nodes that have mounted volumes from it. */
  load: number;
}

export interface VolumesWish {
  /** Value of the setting `volumes.from`. */
  from: string;
  /** Host that the node runs on; null: it is no virtual node of a host. */
  host: string | null;
  needed: readonly string[];
}

/**
 * A host that has all of the volumes, as the node is set; null: the WalT server, which has those of every image. `servers`: those that
 * answer; `load`: nodes that have mounted from the WalT server.
 */
export function chooseServer(
  { from, host, needed }: VolumesWish,
  servers: readonly ServerSeen[],
  load: number,
): string | null {
  const whole = servers.filter(({ has }) => needed.every((name) => has.has(name)));
  const named = (name: string | null) => (whole.some((one) => one.host === name) ? name : null);
  switch (from) {
    case WALT_SERVER:
      return null;
    case OWN_HOST:
      return named(host);
    case LEAST_LOADED: {
      const [least] = whole.toSorted((one, other) => one.load - other.load);
      return least && least.load <= load ? least.host : null;
    }
    default:
      return named(from);
  }
}
