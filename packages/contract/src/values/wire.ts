/** Where the server's socket is, what it answers where, and what stands in front of a stream's messages. */

/** Folder of the machine's own server, unless its configuration names another. */
export const RUNTIME_FOLDER = '/run/walt';
/** Name of the socket in there. */
export const SOCKET_NAME = 'walt.sock';
/** Name of the sticky folder beside the socket, in which callers prove who they are. */
export const PROOF_FOLDER = 'auth';

/** Path of the RPC calls. */
export const RPC_PREFIX = '/rpc';

/** Path of the plain HTTP endpoint `imageFiles`. */
export const IMAGE_FILES = '/image-files';

/** First byte of each message that a job sends down. */
export const jobChannels = { event: 0, stdout: 1, stderr: 2, files: 3 } as const;
