import type { Device as DeviceView, Node, nodeContract } from '@walt/contract';
import type { Caller, CallsOf } from '../access/index.ts';
import type { Network } from '../network/index.ts';
import { nearNames, UserError } from '../platform/index.ts';
import type { Devices } from './devices.ts';
import { Vendors } from './vendors.ts';
import { deviceViews } from './view.ts';

/** Who asks, until he hangs up. */
export interface Asking {
  caller: Caller;
  signal: AbortSignal;
}

/** A device, and the node that it is. */
export interface Found {
  device: DeviceView;
  node: Node | undefined;
}

interface Deps {
  devices: Pick<Devices, 'all'>;
  nodes: Pick<CallsOf<typeof nodeContract>, 'list'>;
  network: Pick<Network, 'server' | 'mac'>;
}

/** Devices as users see them, by their names. */
export class DeviceLookup {
  readonly #deps: Deps;
  readonly #vendors = new Vendors();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async list({ caller, signal }: Asking): Promise<Found[]> {
    const { devices, nodes, network } = this.#deps;
    const [all, known] = await Promise.all([nodes.list(caller, { set: 'all-nodes' }, signal), devices.all()]);
    const vendors = await this.#vendors.of([...all, ...known].map(({ mac }) => mac));
    const server = { ip: network.server, mac: await network.mac() };
    const ofMac = new Map(all.map((node) => [node.mac, node]));
    return deviceViews({ nodes: all, devices: known, vendors, server, now: Date.now() / 1000 }).map(
      (device) => ({ device, node: ofMac.get(device.mac ?? '') }),
    );
  }

  /** Throws UserError NOT_FOUND, with near names in the hint. */
  async find(name: string, asking: Asking): Promise<Found> {
    const all = await this.list(asking);
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

  /** As `find`, of what is not the server itself. `deed`: what is to be done to it, as in "it cannot be DEED". */
  async findOther(name: string, deed: string, asking: Asking): Promise<Found & { mac: string }> {
    const found = await this.find(name, asking);
    const { mac, type } = found.device;
    if (type !== 'server' && mac !== null) return { ...found, mac };
    throw new UserError('INVALID', `${name} is the server: it cannot be ${deed}.`, 'See: walt device show');
  }
}
