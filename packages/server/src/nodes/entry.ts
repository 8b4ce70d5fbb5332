import { type contract, PLATFORM_OWNER } from '@walt/contract';
import {
  type Caller,
  type CallsOf,
  demand,
  type SshAuthority,
  type StandingRights,
} from '../access/index.ts';
import { UserError } from '../platform/index.ts';
import type { ConsolePort } from './consoles/index.ts';
import type { NodeEndpoint, NodeLookup } from './lookup.ts';

interface Deps {
  lookup: Pick<NodeLookup, 'find' | 'tenants' | 'console'>;
  rights: Pick<StandingRights, 'whileHeld'>;
  ssh: Pick<SshAuthority, 'nodeAlias' | 'certifyUser' | 'knownHosts'>;
  /** Addresses that the server has for nodes. */
  relayedFrom: string;
}

/**
 * Ways into nodes. What is `use`d ends with the caller's right to be there: a node that was released, taken over or removed is no
 * longer his. Throws UserError, and LostRight.
 */
export class NodeEntry {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws UserError unless the caller may enter the node, and it can be reached. */
  async require(caller: Caller, name: string): Promise<void> {
    await this.#enter(caller, name, async (node) => requireReachable(node));
  }

  /** By its address on walt-net. Throws UNAVAILABLE while the node is off or boots. */
  onNetwork<T>(caller: Caller, name: string, use: (node: NodeEndpoint) => Promise<T>): Promise<T> {
    return this.#enter(caller, name, async (node) => {
      requireReachable(node);
      return await use(node);
    });
  }

  /** By its serial port. Throws UNAVAILABLE when it has none that the server reaches. */
  onConsole<T>(
    caller: Caller,
    name: string,
    use: (node: NodeEndpoint, port: ConsolePort) => Promise<T>,
  ): Promise<T> {
    return this.#enter(caller, name, async (node) => use(node, await this.#deps.lookup.console(node.id)));
  }

  /** By SSH: the contract's call. */
  certify: CallsOf<(typeof contract)['access']>['certify'] = async (caller, { nodes, publicKey }) => {
    const { lookup, ssh } = this.#deps;
    const found = await Promise.all([...new Set(nodes)].map((name) => lookup.find(name)));
    for (const { id } of found) demand('node.use', caller, await lookup.tenants(id, caller));
    const aliases = await Promise.all(
      found.map(({ id, owner }) => ssh.nodeAlias({ id, owner: owner ?? PLATFORM_OWNER })),
    );
    // What is kept of it opens nothing without the server, which asks for the right anew.
    const how = { keyId: caller.user, from: this.#deps.relayedFrom };
    const { certificate, expires } = await ssh.certifyUser(publicKey, aliases, how);
    return {
      certificate,
      expires,
      knownHosts: ssh.knownHosts(),
      hostKeyAliases: Object.fromEntries(found.map(({ name }, index) => [name, aliases[index] ?? ''])),
    };
  };

  async #enter<T>(caller: Caller, name: string, use: (node: NodeEndpoint) => Promise<T>): Promise<T> {
    const { lookup, rights } = this.#deps;
    const node = await lookup.find(name);
    const check = async () => {
      const now = await lookup.tenants(node.id, caller);
      demand('node.use', caller, now);
      demand('node.enter', caller, now);
    };
    return await rights.whileHeld(check, () => use(node));
  }
}

function requireReachable({ name, state }: NodeEndpoint): void {
  if (state === 'booted' || state === 'unreachable') return;
  const words = { off: 'is off', booting: 'is still booting', failed: 'could not boot' };
  const hint = state === 'failed' ? 'See why with: walt node show' : 'Wait for it: walt node wait';
  throw new UserError('UNAVAILABLE', `Node ${name} ${words[state]}.`, `${hint} ${name}`);
}
