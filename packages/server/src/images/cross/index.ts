/** Builds for an image at the server's own speed: the toolchain, the container, what is saved. */
export { CrossBuilds } from './builds.ts';
