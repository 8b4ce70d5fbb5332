/** Settings that change what a virtual machine is: whether it can be so, and what is lost by it. */
import type { SettingName, VirtualModel } from '@walt/contract';
import { type Caller, demandAll } from '../../access/index.ts';
import type { HostPorts, OtherNetworks } from '../../network/index.ts';
import type { Engine } from '../engine/index.ts';
import { type Configured, exposedPorts, machineSize } from '../setting-values.ts';
import type { NodeRow, SettingChanges } from '../store.ts';
import { compareDisks, machineOf } from '../virtual/index.ts';

/** A node as it is once the changes are made. */
export function changed<Row extends Configured>(row: Row, changes: SettingChanges): Row {
  const { model = row.model, ...others } = changes;
  const settings = Object.entries({ ...row.settings, ...others }).filter(([, value]) => value !== null);
  return { ...row, model: model ?? row.model, settings: Object.fromEntries(settings) };
}

const SIZES: readonly SettingName[] = ['cpu.cores', 'ram', 'disks', 'networks', 'host'];

function touched(rows: readonly NodeRow[], changes: SettingChanges): NodeRow[] {
  return SIZES.some((name) => name in changes) ? rows.filter(({ type }) => type === 'virtual') : [];
}

/** Throws UserError unless all of them can be so, on this server, at once. */
export async function requireMachines(
  rows: readonly NodeRow[],
  changes: SettingChanges,
  machines: Pick<Engine, 'require' | 'requireRoom'>,
  networks: Pick<OtherNetworks, 'require'>,
): Promise<void> {
  const pairs = touched(rows, changes).map((row) => [row, changed(row, changes)] as const);
  for (const [, after] of pairs) await machines.require(machineOf(after));
  if ('networks' in changes) {
    // The change is the same for all of them.
    const [first] = pairs;
    await networks.require(first ? machineSize(first[1]).networks : []);
  }
  await machines.requireRoom(
    pairs.flatMap(([row, after]) => compareDisks(machineSize(row).disks, machineSize(after).disks).made),
  );
}

/** As `requireMachines`, of one that is to be made. */
export async function requireMachine(
  node: Configured & { model: VirtualModel },
  machines: Pick<Engine, 'require' | 'requireRoom'>,
  networks: Pick<OtherNetworks, 'require'>,
): Promise<void> {
  const size = machineSize(node);
  await machines.require({ model: node.model, ...size });
  await networks.require(size.networks);
  await machines.requireRoom(size.disks);
}

/** Throws UserError unless the caller may have the ports of the server machine that the node has not had `before`, and all are free. */
export async function requirePorts(
  before: Configured | undefined,
  after: Configured & { name: string; id?: number },
  caller: Caller,
  host: Pick<HostPorts, 'require'>,
): Promise<void> {
  const had = new Set((before ? exposedPorts(before) : []).map(({ server }) => server));
  const ports = exposedPorts(after);
  const asked = ports.filter(({ server }) => !had.has(server));
  demandAll(
    'node.takePort',
    caller,
    asked.map(({ server: port }) => ({ name: after.name, port })),
  );
  await host.require(after.id, ports);
}

/** What is lost of each node's disks when the changes are made. */
export async function disksAtStake(
  rows: readonly NodeRow[],
  changes: SettingChanges,
  machines: Pick<Engine, 'diskUse'>,
) {
  return await Promise.all(
    touched(rows, changes).map(async (row) => {
      const { disks } = machineSize(row);
      const used = await machines.diskUse(row.id, disks);
      const { lost } = compareDisks(disks, machineSize(changed(row, changes)).disks);
      return {
        name: row.name,
        disks: lost.map((index) => ({
          number: index + 1,
          size: disks[index]?.size ?? 0,
          used: used[index] ?? 0,
        })),
      };
    }),
  );
}
