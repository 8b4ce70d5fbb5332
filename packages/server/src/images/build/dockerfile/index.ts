/** A Dockerfile: read, planned, and written anew for buildah. Nothing here touches the world. */
export { type Instruction, lineError, quoted, shownText } from './dockerfile.ts';
export {
  type BuildPlan,
  finalOrigin,
  inLine,
  type Needed,
  neededImages,
  planBuild,
  type Step,
  upTo,
} from './plan.ts';
export { type OwnReference, type Reference, readReference } from './reference.ts';
export { checkTriggers, isChoosing } from './rules.ts';
export { visitSteps } from './scope.ts';
export { StepWatcher } from './steps.ts';
export { wordsOf } from './words.ts';
export { type Chosen, type WriteOptions, writeDockerfile } from './write.ts';
