/** The byte streams of the contract: terminals, relays, builds. */
export { type StreamOptions, Streams } from './streams.ts';
