import { randomBytes } from 'node:crypto';
import { NO_VALUE, type nodeContract, type VirtualModel, virtualModel } from '@walt/contract';
import { type Caller, type CallsOf, demandAll } from '../../access/index.ts';
import { virtualModelOf } from '../../models/index.ts';
import type { Network } from '../../network/index.ts';
import { UserError } from '../../platform/index.ts';
import type { Engine } from '../engine/index.ts';
import type { Hardware, ImageChoice } from '../image-choice.ts';
import type { NodeLookup } from '../lookup.ts';
import type { NodeQuotas } from '../quotas/index.ts';
import type { NodeSettings, NodeStore } from '../store.ts';
import { checkExposed } from './checks.ts';
import { requireMachine, requirePorts } from './machines.ts';
import { strangersOn } from './networks.ts';
import { readChanges } from './settings.ts';

interface Deps {
  store: Pick<NodeStore, 'all' | 'register'>;
  machines: Pick<Engine, 'require' | 'requireRoom'>;
  lookup: Pick<NodeLookup, 'view'>;
  network: Pick<Network, 'freeAddress' | 'others' | 'exposed'>;
  choice: Pick<ImageChoice, 'ownDefault' | 'bootable'>;
  quotas: Pick<NodeQuotas, 'require'>;
  /** Throws UserError when another node or device is called so. */
  checkNewName(name: string, nodes: readonly { name: string }[]): void;
  /** Makes the world follow, as far as these nodes go. */
  settle(ids: readonly number[]): Promise<void>;
}

/** The contract's call that makes a virtual node. */
export function createMachineCall(deps: Deps): CallsOf<typeof nodeContract>['create'] {
  const { store, machines, choice } = deps;

  /** Image and hardware. The image decides, where no model is asked for. */
  async function inventMachine(
    reference: string | undefined,
    wanted: VirtualModel | undefined,
    caller: Caller,
  ) {
    if (reference === undefined) {
      const hardware = virtualHardware(wanted ?? 'pc-x86-64');
      return { image: await choice.ownDefault(hardware, caller), hardware };
    }
    const image = await choice.bootable(reference, caller, wanted ? [virtualHardware(wanted)] : []);
    const model = wanted ?? virtualModel.options.find((one) => image.models.includes(one));
    if (model) return { image, hardware: virtualHardware(model) };
    throw new UserError(
      'INVALID',
      `${reference} is an image for ${image.models.join(', ')}: no virtual node can be that.`,
      `Virtual nodes are ${virtualModel.options.join(', ')}.`,
    );
  }

  return async (caller, { name, image: reference, model, settings: typed, yes }) => {
    const all = await store.all();
    deps.checkNewName(name, all);
    const settings = initialSettings(name, typed);
    const { image, hardware } = await inventMachine(reference, model, caller);
    await requireMachine({ model: hardware.model, settings }, machines, deps.network.others);
    const made = {
      ...{ name, type: 'virtual', model: hardware.model, image_owner: image.owner, settings },
      made_by: caller.user,
    };
    await deps.quotas.require([caller.user], all, [...all, made]);
    demandAll('node.joinNetwork', caller, strangersOn([{ before: undefined, after: made }], all), yes);
    checkExposed(settings.expose ?? NO_VALUE, [made], { nodes: all });
    await requirePorts(undefined, made, caller, deps.network.exposed);
    const id = await store.register(async (nodes) => {
      deps.checkNewName(name, nodes);
      checkExposed(settings.expose ?? NO_VALUE, [made], { nodes });
      await deps.quotas.require([caller.user], nodes, [...nodes, made]);
      return {
        name,
        ip: await deps.network.freeAddress(new Set(nodes.map((node) => node.ip))),
        mac: freshMac(new Set(nodes.map((node) => node.mac))),
        type: 'virtual',
        ...hardware,
        image_owner: image.owner,
        image_name: image.name,
        settings,
      };
    }, caller.user);
    await deps.settle([id]);
    return deps.lookup.view(name);
  };
}

export function virtualHardware(model: VirtualModel): Hardware & { model: VirtualModel } {
  return { model, architecture: virtualModelOf(model).architecture };
}

/** What a virtual node begins with. Throws UserError. */
function initialSettings(name: string, typed: readonly { name: string; value: string }[]): NodeSettings {
  const changes = readChanges(typed, [{ name, type: 'virtual', model: '', settings: {} }]);
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== null));
}

/** An address under QEMU's prefix that no node has. */
function freshMac(taken: ReadonlySet<string>): string {
  for (;;) {
    const mac = `52:54:00:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;
    if (!taken.has(mac)) return mac;
  }
}
