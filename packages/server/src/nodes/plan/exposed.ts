/** Ports of the server machine that lead to nodes. */
import { isDeepStrictEqual } from 'node:util';
import type { ExposedPort } from '@walt/contract';
import type { StepOf } from './steps.ts';

export interface Exposed {
  ip: string;
  ports: readonly ExposedPort[];
}

export interface ExposedSteps {
  /** These ports, and no others, lead to the node. */
  exposeNode: Exposed & { id: number };
}

export interface ExposedWish {
  id: number;
  ip: string;
  exposed: readonly ExposedPort[];
}

export interface ExposedSeen {
  /** By node, as it is; nodes that are missing have none. */
  exposed: ReadonlyMap<number, Exposed>;
}

/** Those that end come first: a port may lead to another node then. */
export function planExposed(
  nodes: readonly ExposedWish[],
  { exposed: seen }: ExposedSeen,
): StepOf<ExposedSteps>[] {
  const wishes = nodes.filter(({ exposed }) => exposed.length > 0);
  const wanted = new Map(wishes.map(({ id, ip, exposed: ports }): [number, Exposed] => [id, { ip, ports }]));
  const ids = [...new Set([...wanted.keys(), ...seen.keys()])];
  const changed = ids.filter((id) => !isDeepStrictEqual(inOrder(wanted.get(id)), inOrder(seen.get(id))));
  const steps = changed.map((id): StepOf<ExposedSteps> => {
    const { ip, ports } = wanted.get(id) ?? { ip: seen.get(id)?.ip ?? '', ports: [] };
    return { kind: 'exposeNode', id, ip, ports };
  });
  return steps.toSorted((one, other) => one.ports.length - other.ports.length);
}

function inOrder(exposed: Exposed | undefined): Exposed | undefined {
  return exposed && { ...exposed, ports: exposed.ports.toSorted((one, other) => one.server - other.server) };
}
