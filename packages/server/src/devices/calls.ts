import type { Device as DeviceView, deviceContract, Node, nodeContract } from '@walt/contract';
import { type Caller, type CallsOf, demand } from '../access/index.ts';
import type { NodeDirectory } from '../boot/index.ts';
import { models } from '../models/index.ts';
import type { Network } from '../network/index.ts';
import { ping } from '../nodes/index.ts';
import { nearNames, UserError } from '../platform/index.ts';
import type { Devices } from './devices.ts';
import { vendorsOf } from './vendors.ts';
import { deviceViews } from './view.ts';

interface Deps {
  devices: Devices;
  nodes: Pick<CallsOf<typeof nodeContract>, 'list' | 'rename' | 'remove' | 'settings' | 'config'>;
  /** Makes a machine a node. */
  directory: Pick<NodeDirectory, 'seen'>;
  network: Pick<Network, 'server' | 'mac' | 'freeAddress' | 'forgetLeases'>;
}

type Setting = { name: string; value: string };

/** The only type that can be set. */
const NODE = 'node';

/** A device, and the node that it is. */
interface Found {
  device: DeviceView;
  node: Node | undefined;
}

/** The contract's calls about devices. */
export function createDeviceCalls(deps: Deps): CallsOf<typeof deviceContract> {
  const { devices, nodes, directory, network } = deps;

  async function list(caller: Caller, signal: AbortSignal): Promise<Found[]> {
    const [all, known] = await Promise.all([nodes.list(caller, { set: 'all-nodes' }, signal), devices.all()]);
    const vendors = await vendorsOf([...all, ...known].map(({ mac }) => mac));
    const server = { ip: network.server, mac: await network.mac() };
    const now = Date.now() / 1000;
    const ofMac = new Map(all.map((node) => [node.mac, node]));
    return deviceViews({ nodes: all, devices: known, vendors, server, now }).map((device) => ({
      device,
      node: ofMac.get(device.mac ?? ''),
    }));
  }

  /** Throws UserError NOT_FOUND, with near names in the hint. */
  async function find(name: string, caller: Caller, signal: AbortSignal): Promise<Found> {
    const all = await list(caller, signal);
    const found = all.find(({ device }) => device.name === name);
    if (found) return found;
    const near = nearNames(
      name,
      all.map(({ device }) => device.name),
    );
    throw new UserError(
      'NOT_FOUND',
      `There is no device named "${name}".`,
      near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See all devices with: walt device show',
    );
  }

  /** Makes it a node of that model. */
  async function enrol(
    { name, ip, mac }: DeviceView & { mac: string },
    model: string,
    caller: Caller,
    signal: AbortSignal,
  ) {
    const known = models.find((one) => one.name === model);
    if (!known) throw noSuchModel(model);
    const taken = new Set((await nodes.list(caller, { set: 'all-nodes' }, signal)).map((node) => node.ip));
    const address = ip ?? (await network.freeAddress(taken));
    const refusal = await directory.seen({ ip: address, mac, model, architecture: known.architecture });
    if (refusal === undefined) return;
    throw new UserError(
      'CONFLICT',
      `${name} cannot become a node: ${refusal}.`,
      'Ask who looks after the server.',
    );
  }

  /** Answers whether a reboot brings the change. */
  async function configureNode(
    { name }: Node,
    settings: Setting[],
    caller: Caller,
    { yes, signal }: { yes: boolean; signal: AbortSignal },
  ): Promise<boolean> {
    if (settings.length === 0) return false;
    return (await nodes.config(caller, { set: name, settings, yes }, signal)).reboot.length > 0;
  }

  async function configureUnknown(
    device: DeviceView,
    { type, others }: { type: string | undefined; others: Setting[] },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<false> {
    if (type === undefined && others.length === 0) return false;
    const { name } = device;
    const mac = requireUnknown(device, 'configured');
    demand('device.use', caller, { name, owner: null });
    const model = others.find((one) => one.name === 'model')?.value;
    if (type === undefined || model === undefined || others.length > 1) {
      throw new UserError(
        'INVALID',
        `${name} is no node yet: its type and its model make it one, and it has no other settings.`,
        `walt device config ${name} type=node model=MODEL`,
      );
    }
    await enrol({ ...device, mac }, model, caller, signal);
    return false;
  }

  async function settingsOf(node: Node | undefined, caller: Caller, signal: AbortSignal) {
    const type = { name: 'type', value: node ? NODE : 'unknown', isSet: false };
    if (!node) return [type];
    const { nodes: found } = await nodes.settings(caller, { set: node.name }, signal);
    return [type, ...(found[0]?.settings ?? [])];
  }

  return {
    list: async (caller, _input, signal) => (await list(caller, signal)).map(({ device }) => device),

    async rename(caller, { name, newName, yes }, signal) {
      const found = await find(name, caller, signal);
      if (found.node) await nodes.rename(caller, { name, newName, yes }, signal);
      else {
        const mac = requireUnknown(found.device, 'renamed');
        demand('device.use', caller, { name, owner: null });
        if ((await list(caller, signal)).some(({ device }) => device.name === newName)) {
          throw new UserError(
            'CONFLICT',
            `There is a device named "${newName}" already.`,
            'Choose another name.',
          );
        }
        await devices.rename(mac, newName);
      }
      return (await find(newName, caller, signal)).device;
    },

    async config(caller, { name, settings, yes }, signal) {
      const { device, node } = await find(name, caller, signal);
      const { type, others } = readType(settings);
      const reboot = node
        ? await configureNode(node, others, caller, { yes, signal })
        : await configureUnknown(device, { type, others }, caller, signal);
      const now = (await list(caller, signal)).find((one) => one.device.mac === device.mac);
      return { device: now?.device ?? device, settings: await settingsOf(now?.node, caller, signal), reboot };
    },

    async forget(caller, { name, yes }, signal) {
      const found = await find(name, caller, signal);
      const mac = requireUnknown(found.device, 'forgotten');
      const { node } = found;
      if (node?.type === 'virtual') {
        throw new UserError(
          'INVALID',
          `${name} is a virtual node: it is removed, not forgotten.`,
          `walt node remove ${name}`,
        );
      }
      if (node) {
        demand('device.forget', caller, node);
        await nodes.remove(caller, { set: name, yes }, signal);
      } else demand('device.use', caller, { name, owner: null });
      await network.forgetLeases(mac);
      await devices.forget(mac);
      return { name };
    },

    async ping(caller, { name, count }, signal) {
      const { device } = await find(name, caller, signal);
      if (device.ip !== null) return ping(device.ip, count, signal);
      throw new UserError(
        'UNAVAILABLE',
        `${name} has no address now.`,
        'Switch it off and on: it asks for one when it starts.',
      );
    },
  };
}

/** Answers its hardware address. Throws UserError for the server itself. */
function requireUnknown({ mac, type, name }: DeviceView, deed: string): string {
  if (type !== 'server' && mac !== null) return mac;
  throw new UserError('INVALID', `${name} is the server: it cannot be ${deed}.`, 'See: walt device show');
}

/** The type that is to be set, and what else. Throws UserError for a type that nobody can set. */
function readType(settings: readonly Setting[]): { type: string | undefined; others: Setting[] } {
  const type = settings.find(({ name }) => name === 'type')?.value;
  if (type !== undefined && type !== NODE) {
    throw new UserError(
      'INVALID',
      `"${type}" is no type of a device.`,
      `The type that can be set is: ${NODE}`,
    );
  }
  return { type, others: settings.filter(({ name }) => name !== 'type') };
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
