import type { IncomingMessage } from 'node:http';
import { type logContract, type logLines, PLATFORM_ISSUER } from '@walt/contract';
import type * as z from 'zod';
import type { Caller, CallsOf } from '../access/index.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Logs } from './logs.ts';

/** The contract's calls about logs. Everybody may read all lines; checkpoints are their user's. */
export function createLogCalls(checkpoints: Checkpoints): CallsOf<typeof logContract> {
  return {
    async addCheckpoint({ user }, { name, at = Date.now() * 1000 }) {
      await checkpoints.add(user, { name, at });
      return { name, at };
    },
    removeCheckpoint: ({ user }, { name }) => checkpoints.remove(user, name),
    checkpoints: ({ user }) => checkpoints.of(user),
  };
}

type LinesQuery = z.output<(typeof logLines)['query']>;

/** Whose lines are kept. */
export interface Issuer {
  name: string;
  ip: string;
}

interface LineDeps {
  logs: Logs;
  /** The nodes of a set. Throws UserError NOT_FOUND. */
  nodes: (set: string, caller: Caller, signal: AbortSignal) => Promise<Issuer[]>;
  /** Devices that are no nodes. */
  devices: () => Issuer[];
}

/** Where a set of nodes is named: the platform itself. */
const SERVER = 'server';
/** Nodes, other devices and the platform. */
const ALL = 'all-devices';

/** Lines for whoever asks. */
export class LogLines {
  readonly #deps: LineDeps;

  constructor(deps: LineDeps) {
    this.#deps = deps;
  }

  /** Text as the contract's `logLines` has it. Throws UserError. */
  async read(caller: Caller, query: LinesQuery, signal: AbortSignal): Promise<IncomingMessage> {
    const { set, follow, ...rest } = query;
    const issuers = await this.#issuers(set, caller, signal);
    return await this.#deps.logs.read({ ...rest, issuers, follow: follow === 'yes' }, signal);
  }

  /** What they are called, by what they are where lines are kept. */
  async #issuers(set: string, caller: Caller, signal: AbortSignal): Promise<Record<string, string>> {
    const devices = new Map(this.#deps.devices().map((device) => [device.name, device]));
    const everybody = ['all-nodes', ...devices.keys(), SERVER];
    const words = set.split(',').flatMap((word) => (word === ALL ? everybody : word));
    const ofNodes = words.filter((word) => word !== SERVER && !devices.has(word));
    const nodes = ofNodes.length === 0 ? [] : await this.#deps.nodes(ofNodes.join(','), caller, signal);
    const named = [...words.flatMap((word) => devices.get(word) ?? []), ...nodes];
    const issuers = Object.fromEntries(named.map(({ ip, name }) => [ip, name]));
    if (words.includes(SERVER)) issuers[PLATFORM_ISSUER] = PLATFORM_ISSUER;
    return issuers;
  }
}
