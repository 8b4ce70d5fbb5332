/** Images from a Dockerfile. Owns `buildah build` and what confines it. */
export type { ImageBuildClient } from './build.ts';
export { type ImageBuildOrder, ImageBuilds } from './builds.ts';
