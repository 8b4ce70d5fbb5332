import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../packages/server/src/platform/index.ts';
import type { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';

/** The reference's own NFS server, beside the platform's: a second address of the bridge. */
export const NFS_ADDRESS = '10.73.255.250';

/** Exports `tree` as `/tree`, read-only, by NFSv4, until disposed of. */
export async function exportTree(
  platform: Platform,
  tree: string,
): Promise<{ pid: number } & AsyncDisposable> {
  const folder = join(platform.folder, 'reference-nfs');
  await mkdir(join(folder, 'recovery'), { recursive: true });
  const config = join(folder, 'ganesha.conf');
  await writeFile(
    config,
    `NFS_CORE_PARAM { Protocols = 4; Bind_addr = ${NFS_ADDRESS}; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = "${folder}/recovery"; Only_Numeric_Owners = true; }
NFS_KRB5 { Active_krb5 = false; }
EXPORT { Export_Id = 1; Path = "${tree}"; Pseudo = /tree; Access_Type = RO; Squash = No_Root_Squash; Protocols = 4; Transports = TCP; SecType = sys; FSAL { Name = VFS; } }
`,
  );
  const { namespace } = platform;
  await run(['ip', '-n', namespace, 'address', 'add', `${NFS_ADDRESS}/32`, 'dev', 'walt0']);
  const log = await open(join(folder, 'log'), 'a');
  const server = spawn(
    'ip',
    [
      'netns',
      'exec',
      namespace,
      'ganesha.nfsd',
      '-F',
      '-f',
      config,
      '-p',
      join(folder, 'pid'),
      '-L',
      'STDERR',
    ],
    {
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' },
      stdio: ['ignore', log.fd, log.fd],
    },
  );
  await log.close();
  const answers = ['ip', 'netns', 'exec', namespace, 'bash', '-c', `exec 3<>/dev/tcp/${NFS_ADDRESS}/2049`];
  try {
    await until('the NFS server of the reference', async () => (await attempt(answers)).status === 0, 20_000);
  } catch (error) {
    await end(server);
    throw error;
  }
  // `ip netns exec` becomes the program itself.
  return { pid: server.pid ?? 0, [Symbol.asyncDispose]: () => end(server) };
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGKILL'); // it has nothing to lose
  await ended;
}
