/** The way out of walt-net, for nodes that may take it. Owns slirp4netns for nodes. */
export { Gateway } from './gateway.ts';
