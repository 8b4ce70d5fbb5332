/** Images from a Dockerfile. Owns `buildah build` and what confines it. */

export { type ImageBuildOrder, ImageBuilds } from './builds.ts';
export type { ImageBuildClient } from './task.ts';
