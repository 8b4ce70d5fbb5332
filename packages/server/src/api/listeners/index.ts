/** What listens on the server's socket. */
export type { ImageWritten } from './image-files.ts';
export { type Api, listen } from './listen.ts';
