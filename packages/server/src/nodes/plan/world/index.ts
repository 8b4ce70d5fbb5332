/** The one place where nodes/ touches the world: what is seen of it, and who carries out the planners' steps. */
import type { SshAuthority } from '../../../access/index.ts';
import type { Trees } from '../../../boot/index.ts';
import type { Network } from '../../../network/index.ts';
import type { Paths } from '../../../platform/index.ts';
import type { Agents } from '../../agents.ts';
import type { Engine } from '../../engine/index.ts';
import type { PowerErrands } from '../../power/index.ts';
import type { NodeStore } from '../../store.ts';
import type { Observed, StepInputs } from '../plan.ts';
import type { Executors, StepOf } from '../steps.ts';
import { Attempts } from './attempts.ts';
import { bootsPart } from './boots.ts';
import { exportsPart } from './exports.ts';
import { exposedPart } from './exposed.ts';
import { gatewayPart } from './gateway.ts';
import { hostsPart } from './hosts.ts';
import { machinesPart } from './machines.ts';
import { networksPart } from './networks.ts';
import { type LinesOfNodes, removal } from './removed.ts';

export type { LinesOfNodes };

interface Deps {
  lines: LinesOfNodes;
  network: Pick<Network, 'setHosts' | 'setExports' | 'setRouted' | 'others' | 'exposed'>;
  machines: Engine;
  agents: Agents;
  errands: PowerErrands;
  paths: Pick<Paths, 'persist'>;
  ssh: Pick<SshAuthority, 'removeNode'>;
  trees: Pick<Trees, 'of'>;
  store: NodeStore;
}

/** What is, and what carries out the planners' steps. Remembers what was done. */
export function createWorld(deps: Deps) {
  const attempts = new Attempts();
  const hosts = hostsPart(deps.network);
  const exports = exportsPart(deps);
  const gateway = gatewayPart(deps.network);
  const exposed = exposedPart(deps.network);
  const networks = networksPart(deps.network);
  const machines = machinesPart({ ...deps, attempts });
  const boots = bootsPart({ ...deps, attempts });
  const executors: Executors<StepInputs> = {
    ...hosts.executors,
    ...exports.executors,
    ...gateway.executors,
    ...exposed.executors,
    ...networks.executors,
    ...machines.executors,
    ...boots.executors,
    ...removal(deps),
  };
  return {
    async observe(): Promise<Observed> {
      return {
        ...(await hosts.observe()),
        ...(await exports.observe()),
        ...(await gateway.observe()),
        ...(await exposed.observe()),
        ...(await networks.observe()),
        ...(await machines.observe()),
        ...(await boots.observe()),
      };
    },
    carryOut<Kind extends keyof StepInputs>(step: StepOf<StepInputs, Kind>): Promise<void> {
      const execute: Executors<StepInputs>[Kind] = executors[step.kind];
      return execute(step);
    },
  };
}
