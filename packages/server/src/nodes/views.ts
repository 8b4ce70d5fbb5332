import type { Node } from '@walt/contract';
import type { Agents } from './agents.ts';
import { ownerOf } from './owners.ts';
import { nodeState } from './state.ts';
import { type NodeRow, now } from './store.ts';
import type { VirtualMachines } from './virtual/index.ts';

/** Rows as users see them: with what is observed now. */
export class NodeViews {
  readonly #agents: Agents;
  readonly #machines: Pick<VirtualMachines, 'running'>;
  readonly #startedAt = now();

  constructor(agents: Agents, machines: Pick<VirtualMachines, 'running'>) {
    this.#agents = agents;
    this.#machines = machines;
  }

  async of(rows: readonly NodeRow[]): Promise<Node[]> {
    const machines = new Set(await this.#machines.running());
    return rows.map((row) =>
      this.#view(row, row.type === 'virtual' ? machines.has(row.id) : row.served_at !== null),
    );
  }

  #view(row: NodeRow, powered: boolean): Node {
    const { state, since } = nodeState(
      {
        generation: row.generation,
        served: row.served_generation,
        servedAt: row.served_at,
        bootedAt: row.booted_at,
        created: row.created,
        connected: this.#agents.isConnected(row.id),
        lastHeard: this.#agents.lastHeard(row.id) ?? this.#startedAt,
        powered,
      },
      now(),
    );
    const running = state === 'booted' ? row.served_digest : null;
    return {
      name: row.name,
      mac: row.mac,
      ip: row.ip,
      type: row.type === 'virtual' ? 'virtual' : 'physical',
      model: row.model,
      architecture: row.architecture,
      image: `${row.image_owner}/${row.image_name}`,
      owner: ownerOf(row),
      state,
      running,
      current: running === null || running === row.digest,
      bootPlan: row.boot_plan === 'nfs-root' ? 'nfs-root' : 'volumes',
      since,
      cpuCores: row.cpu_cores,
      ramMiB: row.ram_mib,
    };
  }
}
