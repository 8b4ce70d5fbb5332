import type { deviceContract, nodeContract } from '@walt/contract';
import { type CallsOf, demand } from '../access/index.ts';
import type { NodeDirectory } from '../boot/index.ts';
import type { Network } from '../network/index.ts';
import { ping } from '../nodes/index.ts';
import { UserError } from '../platform/index.ts';
import { type Devices, nameTaken } from './devices.ts';
import { DeviceLookup } from './lookup.ts';
import { DeviceSettings } from './settings.ts';

interface Deps {
  devices: Devices;
  nodes: Pick<CallsOf<typeof nodeContract>, 'list' | 'rename' | 'remove' | 'settings' | 'config'>;
  directory: Pick<NodeDirectory, 'seen'>;
  network: Pick<Network, 'server' | 'mac' | 'freeAddress' | 'forgetLeases'>;
}

/** The contract's calls about devices. Of a device that is a node, the calls of nodes do the work, by their own rules. */
export function createDeviceCalls(deps: Deps): CallsOf<typeof deviceContract> {
  const { devices, nodes, network } = deps;
  const lookup = new DeviceLookup(deps);
  const settingsOf = new DeviceSettings(deps);

  return {
    async list(caller, _input, signal) {
      return (await lookup.list({ caller, signal })).map(({ device }) => device);
    },

    async rename(caller, { name, newName, yes }, signal) {
      const { node, mac } = await lookup.findOther(name, 'renamed', { caller, signal });
      if (node) await nodes.rename(caller, { name, newName, yes }, signal);
      else {
        demand('device.use', caller, { name, owner: null });
        const all = await lookup.list({ caller, signal });
        if (all.some(({ device }) => device.name === newName)) throw nameTaken(newName);
        await devices.rename(mac, newName);
      }
      return (await lookup.find(newName, { caller, signal })).device;
    },

    async config(caller, { name, settings, yes }, signal) {
      const asking = { caller, signal, yes };
      if (settings.length === 0) {
        const found = await lookup.find(name, asking);
        return { device: found.device, settings: await settingsOf.of(found, asking), reboot: false };
      }
      const before = await lookup.findOther(name, 'configured', asking);
      const reboot = await settingsOf.change(before, settings, asking);
      const now = (await lookup.list(asking)).find(({ device }) => device.mac === before.mac) ?? before;
      return { device: now.device, settings: await settingsOf.of(now, asking), reboot };
    },

    async forget(caller, { name, yes }, signal) {
      const { node, mac } = await lookup.findOther(name, 'forgotten', { caller, signal });
      if (node?.type === 'virtual') throw virtual(name);
      if (node) {
        demand('device.forget', caller, node);
        await nodes.remove(caller, { set: name, yes }, signal);
      } else demand('device.use', caller, { name, owner: null });
      await network.forgetLeases(mac);
      await devices.forget(mac);
      return { name };
    },

    async ping(caller, { name, count }, signal) {
      const { ip } = (await lookup.find(name, { caller, signal })).device;
      if (ip !== null) return ping(ip, count, signal);
      throw new UserError(
        'UNAVAILABLE',
        `${name} has no address now.`,
        'Switch it off and on: it asks for one when it starts.',
      );
    },
  };
}

function virtual(name: string): UserError {
  const sentence = `${name} is a virtual node: it is removed, not forgotten.`;
  return new UserError('INVALID', sentence, `walt node remove ${name}`);
}
