/** Where the server's socket answers what, and what stands in front of a stream's messages. */

/** Path of the RPC calls. */
export const RPC_PREFIX = '/rpc';

/** Path of the plain HTTP endpoint `imageFiles`. */
export const IMAGE_FILES = '/image-files';

/** First byte of each message that `imageCross` and `imageBuild` send down. */
export const crossChannels = { control: 0, stdout: 1, stderr: 2, files: 3 } as const;

/** First byte of each message that `imageRun` sends down. */
export const outputChannels = { stdout: 1, stderr: 2 } as const;
