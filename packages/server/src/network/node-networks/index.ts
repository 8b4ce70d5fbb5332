/** Networks of nodes beside walt-net, and how fast and how late nodes are sent what is for them. Alone knows tc. */
export { NodeNetworks, type NodeTap } from './node-networks.ts';
export { setShape } from './shape.ts';
