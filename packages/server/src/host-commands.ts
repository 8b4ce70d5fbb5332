/** `walt-server host`: the hosts of a cluster that run virtual nodes. */
import { Command } from 'commander';
import { addHost, drainHost, type HostListed, listHosts, removeHost, resumeHost } from './nodes/index.ts';
import {
  type Config,
  type Paths,
  platformPaths,
  type SlurmConfig,
  UserError,
  withFreeFileLock,
} from './platform/index.ts';

type Say = (text: string) => void;

export function hostCommand(say: Say, load: () => Promise<Config>): Command {
  const command = new Command('host').description(
    'add hosts that run virtual nodes, show them, use them or not, remove them',
  );
  command
    .command('add')
    .description(
      'make a Debian machine that SSH reaches a host of our own cluster; a repeat mends it, and adds what is said',
    )
    .argument('<name>', 'what the host is called from now on')
    .argument('<url>', 'ssh://[USER@]HOST[:PORT]; USER is root, or may use sudo without a password')
    .option('--kvm', 'only if KVM works there')
    .option('--feature <word>', 'what else it has, as gpu; again for more', collect, [])
    .option('--volumes', 'it also keeps copies of volumes, from which nodes boot')
    .option('--volumes-only', 'it keeps copies, and runs no nodes')
    .option('--json', 'what it is then, as data; steps are told on standard error')
    .action(async (name: string, url: string, options: AddOptions) => {
      const { kvm = false, feature: features, json } = options;
      const volumes = options.volumesOnly ? 'only' : (options.volumes ?? false);
      await withOwn(load, async (config, paths) => {
        const tell = json ? (text: string) => console.error(text) : say;
        await addHost({ config, paths, say: tell }, { name, url, kvm, features, volumes });
        if (!json) return;
        const added = (await listHosts(config, paths)).find((host) => host.name === name);
        console.log(JSON.stringify(added));
      });
    });
  command
    .command('remove')
    .description('empty a host, and undo what `host add` made there')
    .argument('<name>', 'as `host list` shows it')
    .option('--purge-packages', 'also those that came with it')
    .option('--force', 'the machine is gone for good: without SSH')
    .action(async (name: string, { force = false, purgePackages: purge = false }: RemoveOptions) => {
      await withOwn(load, (config, paths) => removeHost({ config, paths, say }, name, { force, purge }));
    });
  command
    .command('list')
    .description('list them: what runs there, what they have, why one is not used')
    .option('--json', 'as data')
    .action(async ({ json }: { json?: boolean }) => {
      const hosts = await listHosts(...(await cluster(load)));
      if (json) console.log(JSON.stringify(hosts));
      else say(tableOf(hosts));
    });
  command
    .command('drain')
    .description('empty a host: its nodes boot on others, and none begins there')
    .argument('<name>', 'as `host list` shows it')
    .option('--reason <text>', 'why, for whoever looks at the host', 'walt-server host drain')
    .action(async (name: string, { reason }: { reason: string }) => {
      const count = await drainHost(...(await cluster(load)), name, reason);
      const leave = count === 1 ? '1 node boots' : `${count} nodes boot`;
      say(`${name} is drained.${count > 0 ? ` ${leave} on other hosts, where these have room.` : ''}`);
    });
  command
    .command('resume')
    .description('use a host again')
    .argument('<name>', 'as `host list` shows it')
    .action(async (name: string) => {
      await resumeHost(...(await cluster(load)), name);
      say(`${name} is used again.`);
    });
  return command;
}

interface AddOptions {
  kvm?: boolean;
  feature: string[];
  volumes?: boolean;
  volumesOnly?: boolean;
  json?: boolean;
}

interface RemoveOptions {
  force?: boolean;
  purgePackages?: boolean;
}

function collect(word: string, before: string[]): string[] {
  return [...before, word];
}

/** One at a time changes which hosts there are. */
async function withOwn(
  load: () => Promise<Config>,
  act: (config: SlurmConfig, paths: Paths) => Promise<unknown>,
): Promise<void> {
  const [config, paths] = await cluster(load);
  if (!config.own) {
    throw new UserError(
      'UNAVAILABLE',
      'The cluster of this platform is not its own: its administrator adds and removes hosts.',
      'For a cluster of our own, say "cluster: own" in server.conf: walt help show hosts',
    );
  }
  const done = await withFreeFileLock(`${paths.hosts}.lock`, async () => {
    await act(config, paths);
  });
  if (!done) throw new UserError('BUSY', 'Somebody adds or removes a host just now.', 'Wait for its end.');
}

async function cluster(load: () => Promise<Config>): Promise<[SlurmConfig, Paths]> {
  const config = await load();
  if (config.engine !== 'slurm' || !config.slurm)
    throw new UserError(
      'UNAVAILABLE',
      'This platform has no hosts: its virtual nodes run on the server.',
      'See: walt help show hosts',
    );
  return [config.slurm, platformPaths(config)];
}

/** Pure. What other programs tell is of one line, and steers no terminal. */
function tableOf(hosts: readonly HostListed[]): string {
  // Who has no copies of volumes is not told of any.
  const withVolumes = <T>(text: T) => (hosts.some(({ volumes }) => volumes) ? [text] : []);
  const rows = hosts.map(({ name, state, machines, runsNodes, memory, cpus, features, volumes, reason }) => [
    ...[name, state, runsNodes ? String(machines) : 'none', `${memory} MiB`, String(cpus)],
    ...[features.join(','), ...withVolumes(volumesWords(volumes)), reason ?? ''],
  ]);
  const heads = ['HOST', 'STATE', 'NODES', 'MEMORY', 'CPUS', 'FEATURES', ...withVolumes('VOLUMES'), 'REASON'];
  const all = [heads, ...rows].map((row) => row.map((text) => text.replace(/[\p{Cc}\p{Cf}]/gu, ' ')));
  const widths = heads.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Pure. */
function volumesWords(volumes: HostListed['volumes']): string {
  if (volumes === null) return '';
  const { count, bytes, failure } = volumes;
  return failure ?? `${count}, ${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
