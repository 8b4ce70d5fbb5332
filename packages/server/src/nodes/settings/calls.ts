import { NO_VALUE, NODE_SETTINGS, type nodeContract, SETTING_NAMES, type SettingName } from '@walt/contract';
import { type Caller, type CallsOf, demandAll } from '../../access/index.ts';
import { findModel } from '../../models/index.ts';
import type { Network } from '../../network/index.ts';
import type { Engine } from '../engine/index.ts';
import type { ImageChoice } from '../image-choice.ts';
import { asTheyAre } from '../lookup.ts';
import type { NodeGuests } from '../ownership/index.ts';
import type { Power, PowerErrands } from '../power/index.ts';
import type { NodeQuotas } from '../quotas/index.ts';
import { settingOf } from '../setting-values.ts';
import type { NodeRow, NodeStore, SettingChanges } from '../store.ts';
import { checkExposed, checks, choicesOf } from './checks.ts';
import { changed, disksAtStake, requireMachines, requirePorts } from './machines.ts';
import { strangersOn } from './networks.ts';
import { readChanges, settingsOf } from './settings.ts';

interface Deps {
  store: Pick<NodeStore, 'configure' | 'all'>;
  network: Pick<Network, 'others' | 'exposed'>;
  choice: Pick<ImageChoice, 'nameFor'>;
  power: Power;
  quotas: Pick<NodeQuotas, 'requireOf'>;
  machines: Pick<Engine, 'require' | 'requireRoom' | 'diskUse'>;
  errands: Pick<PowerErrands, 'forget'>;
  guests: Pick<NodeGuests, 'owned'>;
  /** The nodes that a caller means. */
  chosen(set: string, caller: Caller): Promise<NodeRow[]>;
  /** Makes the world follow, as far as these nodes go. */
  settle(ids: readonly number[]): Promise<void>;
}

/** The contract's calls about settings of nodes. */
export function createSettingCalls(deps: Deps): Pick<CallsOf<typeof nodeContract>, 'settings' | 'config'> {
  const { store, choice, power } = deps;

  /** What nodes are with another model, and what free ones boot then. */
  async function hardwareOf(model: string | null | undefined, rows: readonly NodeRow[]) {
    const known = findModel(model ?? '');
    if (!known) return undefined;
    const hardware = { model: known.name, architecture: known.architecture };
    const images = await Promise.all(rows.map((row) => choice.nameFor(row, hardware)));
    return { ...hardware, image: images.find((name) => name !== undefined) };
  }

  return {
    async settings(caller, { set }) {
      const rows = await deps.chosen(set, caller);
      return {
        nodes: rows.map((row) => ({ name: row.name, settings: settingsOf(row) })),
        choices: choicesOf(power),
      };
    },

    async config(caller, { set, settings, yes }) {
      const rows = await deps.chosen(set, caller);
      const { model, ...changes } = readChanges(settings, rows);
      const hardware = await hardwareOf(model, rows);
      if ('power' in changes) demandAll('node.power', caller, rows);
      const may = async (nodes: readonly NodeRow[]) =>
        demandAll('node.config', caller, await deps.guests.owned(nodes, caller), yes);
      await may(rows);
      const all = await store.all();
      await requireMachines(rows, changes, deps.machines, deps.network.others);
      const joining = rows.map((row) => ({ before: row, after: changed(row, changes) }));
      if ('expose' in changes) {
        checkExposed(changes.expose ?? NO_VALUE, rows, { nodes: all });
        for (const { before, after } of joining)
          await requirePorts(before, after, caller, deps.network.exposed);
      }
      demandAll('node.joinNetwork', caller, strangersOn(joining, all), yes);
      demandAll('node.loseDisks', caller, await disksAtStake(rows, changes, deps.machines), yes);
      const reboot = rows.filter((row) => needsReboot(row, { ...changes, ...(model && { model }) }));
      const ids = rows.map(({ id }) => id);
      const check = async (nodes: readonly NodeRow[]) => {
        // They may be somebody else's since.
        await may(asTheyAre(rows, nodes));
        for (const [name, value] of Object.entries({ ...changes, ...(model && { model }) }))
          if (value !== null) checks[name as SettingName]?.(value, rows, { power, nodes });
        await deps.quotas.requireOf(ids, nodes, (node) => changed(node, changes));
      };
      await store.configure(ids, changes, { hardware, check });
      deps.errands.forget(ids);
      await deps.settle(ids);
      return { nodes: names(rows), reboot: names(reboot) };
    },
  };
}

function needsReboot(row: NodeRow, changes: SettingChanges): boolean {
  const after = changed(row, changes);
  return SETTING_NAMES.some((name) => {
    const { applies, rebootPart = (value: string) => value } = NODE_SETTINGS[name];
    return (
      applies === 'with a reboot' && rebootPart(settingOf(row, name)) !== rebootPart(settingOf(after, name))
    );
  });
}

function names(rows: readonly { name: string }[]): string[] {
  return rows.map(({ name }) => name);
}
