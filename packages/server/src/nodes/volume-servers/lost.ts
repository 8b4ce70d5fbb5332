/** Nodes that must boot anew, since what served their volumes is gone. Pure. */
import type { ServedVolumes } from './served.ts';

/** Seconds without a word of a volume server, after which its nodes boot from elsewhere: Slurm has started it again long before. */
export const SILENCE = 45;

export interface ServedNode {
  id: number;
  /** Host that its machine runs on; null: none. */
  host: string | null;
  /** It is to boot anyway. */
  isToBoot: boolean;
  served: Pick<ServedVolumes, 'host' | 'names'> | null;
}

export interface ServerState {
  /** Seconds since its last word; or since somebody listens. */
  silent: number;
  /** `used`: by whom it has. `left`: its host is drained, or keeps no volumes any more. `away`: its host is. */
  host: 'used' | 'left' | 'away';
  /** Copies that are there, as it told last; undefined: it has told nothing yet. */
  there: ReadonlySet<string> | undefined;
}

/** Their ids, by what happened. */
export function lostNodes(
  nodes: readonly ServedNode[],
  servers: ReadonlyMap<string, ServerState>,
): { id: number; host: string; why: string }[] {
  return nodes.flatMap(({ id, host, isToBoot, served }) => {
    const server = served && servers.get(served.host);
    if (isToBoot || !served || !server) return [];
    // Their machines are started elsewhere with it.
    if (host === served.host && server.host !== 'used') return [];
    const why = reasonOf(served, server);
    return why === undefined ? [] : [{ id, host: served.host, why }];
  });
}

function reasonOf(
  { names }: Pick<ServedVolumes, 'names'>,
  { silent, host, there }: ServerState,
): string | undefined {
  if (host === 'left') return 'its host is to serve no volumes any more';
  if (silent > SILENCE) return `nothing was heard of it for ${SILENCE} s`;
  const gone = there && names.find((name) => !there.has(name));
  return gone === undefined ? undefined : `its copy of ${gone} was changed, or is gone`;
}
