/** Handles of volumes at an NFS server, by name. usage: volume-handles.ts SERVER NAME…; prints them as JSON, in base64. */
import { NfsClient } from '../../test/attack/nfs-client.ts';

const [server = '', ...names] = process.argv.slice(2);
const client = await NfsClient.connect(server);
const handles: Record<string, string> = {};
for (const name of names) handles[name] = (await client.handleOf(`/volumes/${name}`)).toString('base64');
client.close();
process.stdout.write(JSON.stringify(handles));
