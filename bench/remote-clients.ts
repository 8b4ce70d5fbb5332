/**
 * For remote.ts: many clients in one process, each with an ssh connection of its own that is open, which all list the nodes at the
 * same moment. Prints the milliseconds of each as JSON. usage: remote-clients.ts FOLDER NUMBER
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../packages/client/src/index.ts';

const [folder = '', number = ''] = process.argv.slice(2);
const clients = [];
for (let index = 0; index < Number(number); index += 1) {
  const own = join(folder, String(index));
  mkdirSync(own, { mode: 0o700 });
  process.env.XDG_RUNTIME_DIR = own;
  const { client } = connect();
  await client.node.list({ set: 'all-nodes' });
  clients.push(client);
}
const times = await Promise.all(
  clients.map(async (client) => {
    const began = performance.now();
    await client.node.list({ set: 'all-nodes' });
    return performance.now() - began;
  }),
);
process.stdout.write(`${JSON.stringify(times)}\n`);
process.exit();
