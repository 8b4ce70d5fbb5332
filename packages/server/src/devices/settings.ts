/** Settings of devices: those of nodes, and what makes an unknown device one. */
import type { NodeSettingValue, nodeContract } from '@walt/contract';
import { type CallsOf, demand } from '../access/index.ts';
import type { NodeDirectory } from '../boot/index.ts';
import { findModel, models } from '../models/index.ts';
import type { Network } from '../network/index.ts';
import { nearNames, UserError } from '../platform/index.ts';
import type { Asking, Found } from './lookup.ts';

export interface Setting {
  name: string;
  value: string;
}

/** The only type that can be set. */
const NODE = 'node';

interface Deps {
  nodes: Pick<CallsOf<typeof nodeContract>, 'list' | 'settings' | 'config'>;
  /** Makes a machine a node. */
  directory: Pick<NodeDirectory, 'seen'>;
  network: Pick<Network, 'freeAddress'>;
}

export class DeviceSettings {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What holds. */
  async of({ device, node }: Found, { caller, signal }: Asking): Promise<NodeSettingValue[]> {
    const type = { name: 'type', value: node ? NODE : device.type, isSet: false };
    if (!node) return [type];
    const { nodes } = await this.#deps.nodes.settings(caller, { set: node.name }, signal);
    return [type, ...(nodes[0]?.settings ?? [])];
  }

  /** Answers whether a reboot brings the change. `yes`: the answer, should the caller be asked. Throws UserError. */
  async change(
    { node, device, mac }: Found & { mac: string },
    settings: readonly Setting[],
    asking: Asking & { yes: boolean },
  ): Promise<boolean> {
    const { caller, signal, yes } = asking;
    const type = settings.find(({ name }) => name === 'type')?.value;
    const others = settings.filter(({ name }) => name !== 'type');
    if (type !== undefined && type !== NODE) {
      throw new UserError(
        'INVALID',
        `"${type}" is no type of a device.`,
        `The type that can be set is: ${NODE}`,
      );
    }
    if (node) {
      if (others.length === 0) return false;
      const wanted = { set: node.name, settings: others, yes };
      return (await this.#deps.nodes.config(caller, wanted, signal)).reboot.length > 0;
    }
    const { name, ip } = device;
    demand('device.use', caller, { name, owner: null });
    const model = others.find((one) => one.name === 'model')?.value;
    if (type === undefined || model === undefined || others.length > 1) {
      throw new UserError(
        'INVALID',
        `${name} is no node yet: its type and its model make it one, and it has no other settings.`,
        `walt device config ${name} type=node model=MODEL`,
      );
    }
    await this.#enrol({ name, ip, mac }, model, asking);
    return false;
  }

  async #enrol(
    { name, ip, mac }: { name: string; ip: string | null; mac: string },
    wanted: string,
    { caller, signal }: Asking,
  ): Promise<void> {
    const { nodes, network, directory } = this.#deps;
    const model = findModel(wanted);
    if (!model) throw noSuchModel(wanted);
    const taken = (await nodes.list(caller, { set: 'all-nodes' }, signal)).map((node) => node.ip);
    const address = ip ?? (await network.freeAddress(new Set(taken)));
    const machine = { ip: address, mac, model: model.name, architecture: model.architecture };
    const refusal = await directory.seen(machine);
    if (refusal === undefined) return;
    throw new UserError(
      'CONFLICT',
      `${name} cannot become a node: ${refusal}.`,
      'Ask who looks after the server.',
    );
  }
}

function noSuchModel(model: string): UserError {
  const names = models.map(({ name }) => name);
  const near = nearNames(model, names);
  return new UserError(
    'INVALID',
    `There is no model "${model}".`,
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Models are ${names.join(', ')}.`,
  );
}
