/** Ports of the server machine that lead to ports of nodes. */
export { ExposedPorts } from './exposed-ports.ts';
