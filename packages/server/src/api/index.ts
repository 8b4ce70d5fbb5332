/** The server's face to its clients: the contract's calls and streams on a Unix socket. Binds what other folders offer; no rule is here. */
export { type Api, listen } from './listeners/index.ts';
export type { Services } from './services.ts';
