import type { Duplex } from 'node:stream';
import { NO_VALUE, parsePower } from '@walt/contract';
import { UserError } from '../../platform/index.ts';
import type { NodeRow } from '../store.ts';

/**
 * Somebody who has the power of nodes in hand. What he cannot do, he lacks the function for. Each act is bounded in time, and throws
 * UserError with what is wrong and what to do.
 */
export interface PowerActions {
  /** Gives power, if there is none. */
  on?(node: NodeRow): Promise<void>;
  /** Cuts the power, if there is any. */
  off?(node: NodeRow): Promise<void>;
  /** Cuts the power and gives it back, whatever state the node is in. Without it: `off` and `on`, where both are there. */
  reset?(node: NodeRow): Promise<void>;
  state?(node: NodeRow): Promise<PowerState>;
  /** Tells one time with power from the next; undefined while there is none. */
  cycle?(node: NodeRow): Promise<string | undefined>;
  /** Its serial console: raw bytes both ways, until either side ends it. One at a time. */
  console?(node: NodeRow): Promise<Duplex>;
}

export type PowerState = 'on' | 'off';

/** Each kind is a file of the folder `kinds/`, and an element of a list in `power/index.ts`. */
export interface PowerSource extends PowerActions {
  /** As users see it. */
  kind: string;
  /** What stands before the colon in a node's setting `power`; null: its nodes need no setting. */
  name: string | null;
  /** Whether it has this node's power. */
  has(node: NodeRow): boolean;
  /** Whether the setting names a port behind a colon: one of several plugs, or of several systems behind one BMC. */
  port: 'none' | 'optional' | 'needed';
  /** Whether the same setting serves several nodes: it finds them by their name or address. */
  shared: boolean;
  /** Another machine, which may not answer: nobody waits for it who has other things to do. */
  remote: boolean;
}

/** What can be done to a node's power from outside. */
export interface PowerActs {
  reset: boolean;
  on: boolean;
}

/** What a kind of source tells of itself; the rest follows from its name in server.conf. */
export type PowerKind = Omit<PowerSource, 'name' | 'has' | 'remote'>;

export function declared(name: string, kind: PowerKind): PowerSource {
  return { ...kind, name, remote: true, has: (node) => powerOf(node)?.source === name };
}

/** What a node's setting says; undefined: nobody has its power. Virtual nodes do not have that setting. */
export function powerOf({ settings, type }: Pick<NodeRow, 'settings' | 'type'>) {
  const value = settings.power ?? NO_VALUE;
  return value === NO_VALUE || type === 'virtual' ? undefined : parsePower(value);
}

/** Something is wrong with a source of power. */
export function powerFailure(source: string, what: string, hint: string): UserError {
  return new UserError('EXTERNAL', `The source of power ${source} ${what}`, hint);
}
