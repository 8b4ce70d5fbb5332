/** What users have of nodes, and whether they may have more. */
export { holdersOf, NodeQuotas } from './node-quotas.ts';
export { nodeDiskParts } from './node-usage.ts';
