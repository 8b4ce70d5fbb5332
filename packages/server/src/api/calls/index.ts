/** The calls of the contract. */
export {
  agreedReplacement,
  requireImageOwner,
  requireSessionUser,
} from './image-calls.ts';
export { requireRunningNode } from './node-access.ts';
export { type CallContext, createRouter } from './router.ts';
