/** Files that podman is given: its configuration, and what it takes for its runtime. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Paths, writeFileAtomic } from '../../platform/index.ts';
import { notingRuntime } from './limit-notes.ts';

export async function writePodmanFiles(paths: Paths): Promise<void> {
  await mkdir(limitFolder(paths), { recursive: true, mode: 0o700 });
  await writeFileAtomic(runtimeFile(paths), notingRuntime(limitFolder(paths)), 0o755);
  await writeFileAtomic(configFile(paths), containersConf(paths));
}

/** containers.conf(5) of all programs that use the store. */
export function configFile(paths: Paths): string {
  return join(paths.services, 'containers.conf');
}

/** What podman takes for its runtime. */
function runtimeFile(paths: Paths): string {
  return join(paths.services, 'runtime');
}

/** Folder of `LimitNotes`. */
export function limitFolder(paths: Paths): string {
  return join(paths.containersRun, 'limits');
}

/** containers.conf(5). */
function containersConf(paths: Paths): string {
  const text = (value: string) => JSON.stringify(value);
  return `[containers]
# Without CAP_SYS_RESOURCE, a process cannot raise its limits to podman's own defaults.
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
# What a shell prints belongs to its user: no copy on disk.
log_driver = "none"
# The server's own /etc/hosts is none of an image's business.
base_hosts_file = "none"

[engine]
# crun refuses hybrid cgroup hierarchies; systemd may not be there.
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
# ctrl-p and ctrl-q belong to the shell.
detach_keys = ""
# podman's defaults are shared by all stores of a machine: platforms must not meet there.
lock_type = "file"
tmp_dir = ${text(join(paths.containersRun, 'libpod'))}

[engine.runtimes]
# Under its own name: podman reads runc's messages as what they are.
runc = [${text(runtimeFile(paths))}]
`;
}
