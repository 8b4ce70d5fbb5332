/** The way to a server elsewhere. Cheap until it is gone: ssh and what looks after it are loaded by the first connection. */
import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Proven } from '../credentials.ts';
import { AbortError, hasCode } from '../errors.ts';
import type { Route } from '../transport.ts';
import type { Tunnel } from './tunnel.ts';
import type { SshPlace } from './url.ts';

export interface RemoteWay {
  route: Route;
  prove: (refused: string | undefined) => Promise<Proven>;
}

/** `folder` keeps the token. */
export function remoteWay(
  place: SshPlace,
  folder: string,
  { quiet = false }: { quiet?: boolean },
): RemoteWay {
  let tunnel: Promise<Tunnel> | undefined;
  const way = () => {
    tunnel ??= import('./tunnel.ts').then(({ Tunnel }) => new Tunnel(place, { folder, quiet }));
    return tunnel;
  };
  const dial = async () => await (await way()).dial();
  return {
    route: {
      name: place.url,
      options: { agent: new DialAgent(dial) },
      failure: (error) => (isLoss(error) ? lost(place) : error),
      lost: () => lost(place),
    },
    prove: async (refused) => await (await way()).signIn(refused),
  };
}

/** Node.js's, whose connections are made by us. */
class DialAgent extends Agent {
  readonly #dial: () => Promise<Duplex>;

  constructor(dial: () => Promise<Duplex>) {
    super({ keepAlive: true });
    this.#dial = dial;
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): undefined {
    const [, told] = args;
    this.#dial().then(
      (connection) => told?.(null, connection),
      (error: Error) => told?.(error, undefined as unknown as Duplex),
    );
  }
}

function isLoss(error: Error): boolean {
  return ['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ENOENT'].some((code) => hasCode(error, code));
}

function lost({ url }: SshPlace): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    `The connection to the WalT server at ${url} was lost.`,
    'Repeat the command: it connects anew.',
  );
}
