/** What an image lacks to be a node, and what it is lent for that. */

export { changesSender } from './changes-sender.ts';
export type { ImageConfig } from './image-command.ts';
export { readFacts } from './image-facts.ts';
export { ensureModules, ensureTools, LENT_VOLUME } from './lender.ts';
export { planLends } from './lends.ts';
export { lentFiles } from './lent-files.ts';
export { filesOfIdentity } from './node-programs.ts';
export { ensurePlatformVolume } from './platform-layer.ts';
export { type PlatformPaths, platformPaths } from './platform-paths.ts';
export { type ServerAddress, TREE, Trees, templateValues } from './trees.ts';
