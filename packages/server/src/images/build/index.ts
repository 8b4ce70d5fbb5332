/** Images from a Dockerfile. Owns `buildah build` and what confines it. */

export { type ImageBuildOrder, ImageBuilds, type PreparedImageBuild } from './builds.ts';
