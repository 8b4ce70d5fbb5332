/** The server's face to its clients: the contract's calls and streams on a Unix socket. */
export type { ImageWritten } from './listeners/index.ts';
export { type Api, listen } from './listeners/index.ts';
export type {
  CallsOf,
  ImageRecord,
  ImageService,
  ImageTarget,
  NodeEndpoint,
  NodeService,
  Services,
  SessionRecord,
  ShellService,
  Terminal,
  TerminalSize,
} from './services.ts';
