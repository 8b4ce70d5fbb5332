/** Whether values fit the nodes that are to get them: what only the server knows. */
import { NO_VALUE, parseExposed, parsePower, type SettingName } from '@walt/contract';
import { findModel, models } from '../../models/index.ts';
import { nameList, UserError } from '../../platform/index.ts';
import type { Power } from '../power/index.ts';
import { exposedPorts } from '../setting-values.ts';
import type { NodeRow } from '../store.ts';

/** `id`: undefined for a node that is to be made. */
type Chosen = Pick<NodeRow, 'name'> & { id?: number };

interface Known {
  power: Pick<Power, 'named' | 'names'>;
  /** All nodes of the platform. */
  nodes: readonly NodeRow[];
}

/** Throw UserError. */
export const checks: Partial<
  Record<SettingName, (value: string, chosen: readonly Chosen[], known: Known) => void>
> = {
  model: (value) => {
    if (findModel(value)) return;
    throw new UserError(
      'INVALID',
      `This platform knows no model "${value}".`,
      `It knows ${models.map(({ name }) => name).join(', ')}. Nothing was changed.`,
    );
  },
  power: checkPower,
  expose: checkExposed,
};

/** Values that completion offers. */
export function choicesOf(power: Pick<Power, 'names'>): Partial<Record<SettingName, string[]>> {
  return { model: models.map(({ name }) => name), power: [NO_VALUE, ...power.names] };
}

function checkPower(value: string, chosen: readonly Chosen[], { power, nodes }: Known): void {
  if (value === NO_VALUE) return;
  const { source: name = '', port } = parsePower(value) ?? {};
  const source = power.named(name);
  if (!source) {
    throw new UserError(
      'INVALID',
      `There is no source of power "${name}".`,
      `There are ${power.names.join(', ')}. More are declared in server.conf: walt help show power`,
    );
  }
  if (port === undefined && source.port === 'needed') {
    throw new UserError('INVALID', `${name} has several ports.`, `Say which: power=${name}:PORT`);
  }
  if (port !== undefined && source.port === 'none') {
    throw new UserError('INVALID', `${name} has no ports.`, `Say only: power=${name}`);
  }
  if (source.shared) return;
  const ids = new Set(chosen.map(({ id }) => id));
  const others = nodes.filter(({ id, settings }) => !ids.has(id) && settings.power === value);
  const taken = others.length > 0 ? others : chosen.length > 1 ? chosen : [];
  if (taken.length === 0) return;
  throw new UserError(
    'CONFLICT',
    others.length > 0
      ? `${nameList(taken)} switched by ${value} already.`
      : `${value} is the power of one node, not of ${taken.length}.`,
    others.length > 0
      ? `Take it away there first: walt node config ${taken[0]?.name} power=${NO_VALUE}`
      : 'Set it node by node. Nothing was changed.',
  );
}

/** Each port of the server leads to one node. Whether somebody else has it, `ExposedPorts.require` finds out. */
export function checkExposed(
  value: string,
  chosen: readonly Chosen[],
  { nodes }: Pick<Known, 'nodes'>,
): void {
  const ports = parseExposed(value) ?? [];
  if (ports.length === 0) return;
  if (chosen.length > 1) {
    throw new UserError(
      'CONFLICT',
      `A port of the server leads to one node, not to ${chosen.length}.`,
      'Set it node by node. Nothing was changed.',
    );
  }
  const wanted = new Set(ports.map(({ server }) => server));
  for (const node of nodes) {
    if (node.id === chosen[0]?.id) continue;
    const taken = exposedPorts(node).find(({ server }) => wanted.has(server));
    if (!taken) continue;
    throw new UserError(
      'CONFLICT',
      `Port ${taken.server} of the server leads to ${node.name} already.`,
      `Take another port, or end that first: walt node config ${node.name} expose=${NO_VALUE}`,
    );
  }
}
