/** Who has how much of the platform: quotas, and what the disk holds. Asks the domains; owns no table. */
export { createSpaceCalls } from './calls.ts';
export { DiskUsers } from './disk-usage.ts';
export {
  type Bounds,
  type Item,
  NOTHING_USED,
  Quotas,
  requireSomeLeft,
  requireWithin,
  type Uses,
} from './quotas.ts';
