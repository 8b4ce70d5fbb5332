/** Images from a Dockerfile. Owns `buildah build` and what confines it. */

export { ImageBuilds } from './builds.ts';
