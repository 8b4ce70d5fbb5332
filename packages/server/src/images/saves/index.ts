/** What a container changed, and the layer that is made of it. */
export { readAttributes } from './attributes.ts';
export { type Change, type Entry, type Facts, judge, type LayerPlan, type Verdict } from './changes.ts';
export { lostChanges } from './lost-changes.ts';
export { commitChange, inspectContainer, pointOrKeep, type SaveParts, saveChange } from './save-change.ts';
export { readFacts } from './upper-folder.ts';
