/**
 * What scripts on a node ask of the server by `walt-rpc`: a function on the first line, its arguments on those that follow, as
 * literals of Python. The functions are those that WalT 10 has for nodes.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { macAddress } from '@walt/contract';
import { textOf } from '../../network/index.ts';

/** Characters of a question. */
export const MAX_QUESTION = 1000;

/** The neighbour that a node has on its cable: a port of a switch. */
export interface SwitchPort {
  mac: string;
  /** As the switch calls it: printable ASCII. */
  port: string;
}

export interface RpcDeps {
  /** The node that asks is plugged in there. */
  pluggedInto(place: SwitchPort): void;
}

type Literal = string | number;

/** Answers a literal, too. Throws Issue. */
type RpcFunction = (args: readonly Literal[], deps: RpcDeps) => Promise<string>;

/** Something that the caller has to be told. */
class Issue extends Error {}

const FUNCTIONS: ReadonlyMap<string, RpcFunction> = new Map<string, RpcFunction>([
  ['sync_clock', syncClock],
  ['report_lldp_neighbor', reportNeighbour],
]);

/** The answer to a question: `RESULT` and a value, or `ISSUE` and why there is none. */
export async function answerRpc(question: string, deps: RpcDeps): Promise<string> {
  try {
    const [name = '', ...args] = question.replace(/\n$/, '').split('\n');
    const call = FUNCTIONS.get(name);
    if (!call)
      throw new Issue(
        `there is no function ${JSON.stringify(name)}; there are ${[...FUNCTIONS.keys()].join(', ')}`,
      );
    return `RESULT ${await call(args.map(literalOf), deps)}`;
  } catch (error) {
    if (!(error instanceof Issue)) throw error;
    return `ISSUE ${error.message}`;
  }
}

/** The server's Unix time in seconds, told when a second begins: clocks are set to whole ones. */
async function syncClock(args: readonly Literal[]): Promise<string> {
  if (args.length > 0) throw new Issue('sync_clock takes no arguments');
  await delay(1000 - (Date.now() % 1000));
  return String(Math.round(Date.now() / 1000));
}

async function reportNeighbour(args: readonly Literal[], { pluggedInto }: RpcDeps): Promise<string> {
  const [mac, port, ...more] = args;
  if (typeof mac !== 'string' || typeof port !== 'string' || more.length > 0)
    throw new Issue('report_lldp_neighbor takes two texts: hardware address and port');
  const address = macAddress.safeParse(mac.toLowerCase());
  if (!address.success) throw new Issue(`${JSON.stringify(mac)} is no hardware address`);
  const label = textOf(Buffer.from(port));
  if (label === null) throw new Issue('the name of the port is empty');
  pluggedInto({ mac: address.data, port: label });
  return 'None';
}

/** Of Python: an integer, or text between quotes in which `\\` stands before a quote or itself. */
function literalOf(text: string): Literal {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  const [, , single, double] = /^('((?:[^'\\]|\\['"\\])*)'|"((?:[^"\\]|\\['"\\])*)")$/.exec(text) ?? [];
  const content = single ?? double;
  if (content === undefined)
    throw new Issue(`${JSON.stringify(text)} is no text between quotes, nor a number`);
  return content.replace(/\\(.)/g, '$1');
}
