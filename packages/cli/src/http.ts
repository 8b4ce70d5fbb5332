/**
 * node:http for the client, without what `import 'node:http'` costs.
 *
 * An ES import of a built-in module copies all its exports, and two of node:http's are getters that load
 * Node's fetch implementation: 27 ms of the 50 ms that an empty program then takes. Asked for this way, the module
 * costs 3 ms (`bench/cli.ts` watches it).
 */
export const http = process.getBuiltinModule('node:http');
