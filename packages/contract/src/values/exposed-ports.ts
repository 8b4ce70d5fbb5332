/** Ports of the server machine that lead to ports of a node, as the value of their setting tells them. */

export interface ExposedPort {
  /** Of the node. */
  node: number;
  /** Of the server machine. */
  server: number;
}

export const MAX_EXPOSED = 32;
/** Below it, only root opens ports (ip(7), ip_unprivileged_port_start). */
export const FIRST_PORT_OF_USERS = 1024;

/** As `80:8080,443:8443`, or `none`. Undefined: it is no such value. */
export function parseExposed(value: string): ExposedPort[] | undefined {
  if (value === 'none') return [];
  const ports = value.split(',').map(parsePair);
  const found = ports.filter((port) => port !== undefined);
  const isWhole = found.length === ports.length && ports.length <= MAX_EXPOSED;
  return isWhole && new Set(found.map(({ server }) => server)).size === found.length ? found : undefined;
}

function parsePair(text: string): ExposedPort | undefined {
  const [, node, server] = /^([1-9]\d{0,4}):([1-9]\d{0,4})$/.exec(text) ?? [];
  const pair = { node: Number(node), server: Number(server) };
  return pair.node <= 65_535 && pair.server <= 65_535 ? pair : undefined;
}
