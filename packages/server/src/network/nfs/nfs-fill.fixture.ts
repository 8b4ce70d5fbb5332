/** Writes MiB after MiB into a file by NFSv4, each to the disk; prints the status of the write that failed, else 0. */
import { NfsClient } from '../../../../../test/attack/nfs-client.ts';

const MEBI = 1024 ** 2;
const [server = '', path = '', count = '0'] = process.argv.slice(2);
const client = await NfsClient.connect(server);
const handle = await client.handleOf(path);
let status = 0;
for (let at = 0; at < Number(count) && status === 0; at += 1) {
  status = await client.write(handle, BigInt(at * MEBI), Buffer.alloc(MEBI, at + 1));
}
console.log(status);
client.close();
