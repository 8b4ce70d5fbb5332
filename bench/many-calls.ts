/**
 * For hosts.ts: clients in one process, each of which asks for one node again and again. Prints calls per second. usage: many-calls.ts
 * CLIENTS SECONDS, with WALT_SOCKET
 */
import { connect } from '../packages/client/src/index.ts';

const [clients, seconds] = process.argv.slice(2).map(Number);
const end = performance.now() + (seconds ?? 1) * 1000;
let calls = 0;
await Promise.all(
  Array.from({ length: clients ?? 1 }, async (_, index) => {
    const { client } = connect();
    while (performance.now() < end) {
      await client.node.list({ set: `vnode${index}` });
      calls += 1;
    }
  }),
);
process.stdout.write(String(calls / (seconds ?? 1)));
process.exit();
