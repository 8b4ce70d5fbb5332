/** Builds for an image at the server's own speed: the toolchain, the container, what is saved. */
export type { CrossRequest } from './build.ts';
export { CrossBuilds, type PreparedBuild } from './builds.ts';
