/** What users have of nodes, and whether they may have more. */
export { holdersOf, NodeQuotas } from './node-quotas.ts';
