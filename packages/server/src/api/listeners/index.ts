/** What listens on the server's socket. */
export { type Api, listen } from './listen.ts';
