/** The byte streams of the contract: terminals, relays, builds. */
export { Streams } from './streams.ts';
