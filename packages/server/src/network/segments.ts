import { type Config, createLog, hostNamespace, type Paths, UserError } from '../platform/index.ts';
import { type AdapterStatus, Adapters } from './adapters/index.ts';
import type { Bridge } from './bridge.ts';
import { type Answers, type ForeignServer, ForeignServers } from './dhcp/index.ts';

const log = createLog('network');
/** Milliseconds between two questions whether somebody else answers DHCP. */
const QUESTION_INTERVAL = 300_000;

/** The real segments that walt-net reaches: adapters in its bridge, and who else answers there. */
export class Segments {
  readonly #adapters: Adapters;
  readonly #servers: ForeignServers | undefined;
  readonly #asking: NodeJS.Timeout;

  private constructor(adapters: Adapters, servers: ForeignServers | undefined, ask: () => void) {
    this.#adapters = adapters;
    this.#servers = servers;
    this.#asking = setInterval(ask, QUESTION_INTERVAL).unref();
  }

  /**
   * To be called before our own DHCP server answers. Throws UserError when an adapter cannot join, or when another DHCP server
   * answers behind a new one that the configuration does not accept; then it has taken none.
   */
  static async open(options: {
    network: Config['network'];
    paths: Pick<Paths, 'adapters'>;
    bridge: Bridge;
    /** The server's address on walt-net. */
    server: string;
    /** Name of the host's namespace, if it is not the platform's usual one. */
    host?: string;
  }): Promise<Segments> {
    const { network, paths, bridge, server, host = hostNamespace({ network }) } = options;
    const { interfaces: wanted, acceptDhcpServers, namespace } = network;
    const servers = wanted.length > 0 ? await ForeignServers.open(server, acceptDhcpServers) : undefined;
    const mac = await bridge.mac();
    const ask = async (links: readonly string[]) => servers?.ask(mac, links, wanted.length > 1);
    const askLater = (links: readonly string[]) =>
      void ask(links).catch((error) => log.error('cannot ask for DHCP servers', { error: String(error) }));
    try {
      const adapters = await Adapters.open({
        ...{ wanted, namespace, host, bridge: bridge.name, file: paths.adapters },
        mayJoin: async (links) => {
          const answers = await ask(links);
          if (answers) refuse(answers);
        },
        linked: askLater,
      });
      return new Segments(adapters, servers, () => askLater(adapters.links));
    } catch (error) {
      await servers?.close();
      throw error;
    }
  }

  get adapters(): readonly AdapterStatus[] {
    return this.#adapters.status;
  }

  /** DHCP servers there that are not ours. */
  get servers(): ForeignServer[] {
    return this.#servers?.list() ?? [];
  }

  /** Rejects never. */
  mend(): Promise<void> {
    return this.#adapters.mend();
  }

  /** Adapters stay where they are. */
  async close(): Promise<void> {
    clearInterval(this.#asking);
    await this.#adapters.close();
    await this.#servers?.close();
  }
}

function refuse({ server, circle }: Answers): void {
  if (circle !== undefined) {
    throw new UserError(
      'CONFLICT',
      `What is sent through ${circle} comes back by another adapter: two of them lead to the same network, and frames would go round for ever.`,
      'Name only one of them in network.interfaces, or pull the cable of the other one.',
    );
  }
  if (!server) return;
  const { address, link } = server;
  throw new UserError(
    'CONFLICT',
    `Another DHCP server answers behind ${link}: ${address}. Machines there would boot by chance from one or the other.`,
    `Switch it off, or give walt-net a network or a VLAN of its own; or accept it in server.conf: network.accept-dhcp-servers: [${address}]`,
  );
}
