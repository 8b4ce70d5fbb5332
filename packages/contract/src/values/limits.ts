/** How much both sides know that one of them takes. */

/** Characters of a Dockerfile. */
export const MAX_DOCKERFILE = 262_144;

/** Columns, and rows, of a terminal. */
export const MAX_TERMINAL = 1000;
