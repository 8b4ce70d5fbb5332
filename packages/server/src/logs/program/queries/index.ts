/** What readers are told of lines: found by threads, so that storing lines waits for nobody who reads. */
export { isExpression } from './matcher.ts';
export { Queries, type Query } from './queries.ts';
