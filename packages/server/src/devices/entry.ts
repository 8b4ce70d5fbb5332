import { type Caller, demand, type StandingRights } from '../access/index.ts';
import type { NodeRow } from '../nodes/index.ts';
import { UserError } from '../platform/index.ts';
import type { Devices } from './devices.ts';
import type { Device } from './store.ts';
import { nameOf } from './view.ts';

/** The only port that is reached on a device of which nobody knows what it is: SSH. */
const SSH_PORT = 22;

interface Deps {
  devices: Devices;
  nodes: { all(): Promise<readonly Pick<NodeRow, 'mac' | 'ip'>[]> };
  rights: Pick<StandingRights, 'whileHeld'>;
}

/** The way into devices that are no nodes. What is `use`d ends when the device becomes a node, or is forgotten. */
export class DeviceEntry {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Whether a device that is no node is called so. */
  async has(name: string): Promise<boolean> {
    return (await this.#find(name)) !== undefined;
  }

  /** By its address on walt-net. Throws UserError. */
  async onNetwork<T>(
    caller: Caller,
    { name, port }: { name: string; port: number },
    use: (device: { name: string; ip: string; type: 'device' }) => Promise<T>,
  ): Promise<T> {
    if (port !== SSH_PORT) {
      throw new UserError(
        'FORBIDDEN',
        `Port ${port} of ${name} is not relayed: it is no node, and only SSH (port ${SSH_PORT}) is.`,
        `Make it a node with: walt device config ${name} type=node model=MODEL`,
      );
    }
    const ip = (await this.#find(name))?.ip;
    if (!ip) {
      throw new UserError(
        'UNAVAILABLE',
        `${name} has no address now.`,
        'Switch it off and on, then try again.',
      );
    }
    const check = async () => {
      // By its address: it may have been renamed meanwhile.
      if (![...(await this.#unknown())].some((device) => device.ip === ip)) {
        throw new UserError('UNAVAILABLE', `${name} is no such device any more.`, 'See: walt device show');
      }
      demand('device.use', caller, { name, owner: null });
    };
    return await this.#deps.rights.whileHeld(check, () => use({ name, ip, type: 'device' }));
  }

  async #find(name: string): Promise<Device | undefined> {
    return (await this.#unknown()).find((device) => nameOf(device) === name);
  }

  /** Those that are no nodes, and have no node's address. */
  async #unknown(): Promise<Device[]> {
    const nodes = await this.#deps.nodes.all();
    const [macs, addresses] = [new Set(nodes.map(({ mac }) => mac)), new Set(nodes.map(({ ip }) => ip))];
    return this.#deps.devices.noted().filter(({ mac, ip }) => !macs.has(mac) && !addresses.has(ip ?? ''));
  }
}
