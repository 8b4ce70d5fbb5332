/** How much both sides know that one of them takes. */

/** Characters of a Dockerfile. */
export const MAX_DOCKERFILE = 262_144;

/** Characters of what the history tells of a build's source. */
export const MAX_BUILD_SOURCE = 200;

/** Bytes of a path in a folder that is built: with the server's own folders in front, the kernel takes it (PATH_MAX). */
export const MAX_BUILD_PATH = 3840;

/** Columns, and rows, of a terminal. */
export const MAX_TERMINAL = 1000;
