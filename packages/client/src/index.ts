/**
 * What the command line, scripts and other programs stand on to talk to a WalT server. It knows nothing of terminals and exit
 * statuses, and loads no schema library: the server checks.
 *
 *     const { client } = connect();
 *     for (const { name, state } of await client.node.list({ set: 'all-nodes' })) console.log(name, state);
 *     await resultOf(client.node.wait({ set: 'vnode1' }), ({ step }) => console.log(step));
 *
 * Each call of the contract is a function of `client`, with the contract's types. What fails throws an error, of which `tellError`
 * makes a code, a sentence and the next step. Jobs with bytes (a build, a command in an image) are opened by a call
 * and joined by `attachToJob`; other bytes go over a `ByteStream` (a console), files of images over `readFromImage` and `writeToImage`.
 */
export { type Connection, connect } from './connection.ts';
export { flushed } from './drain.ts';
export { AbortError, hasCode, type Told, tellError } from './errors.ts';
export {
  type ImagePlace,
  type ImageWritten,
  kindInImage,
  readFromImage,
  writeToImage,
} from './image-files.ts';
export { attachToJob, type JobHandlers } from './job.ts';
export { resultOf } from './long-call.ts';
export { cacheFolder, configFolder, DEFAULT_SOCKET, serverFolder } from './paths.ts';
export { namedPlace, type Place, usualPlace } from './place.ts';
export { ByteStream, frameError, type StreamEnd, type StreamHandlers } from './stream.ts';
