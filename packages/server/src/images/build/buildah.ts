/** The command lines of `buildah build` and of what it leaves (buildah-build(1), buildah-rm(1)). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { run } from '../../platform/index.ts';
import { ociName } from '../architectures.ts';
import type { HostCommand } from '../types.ts';
import { INSIDE } from './confined.ts';
import { RUNNING } from './control-group.ts';

/** Files of a build in its work folder. */
export const FILES = {
  dockerfile: 'Containerfile',
  config: 'containers.conf',
  result: 'result',
  context: 'context',
  /** What buildah takes for its runtime. */
  runtime: 'runtime',
  /** Folders with what steps copy that choose their files. */
  copies: 'copies',
  /** What the kernel counted of the limits on the last command. */
  events: 'events',
  /** A path that the last command made and no layer holds. */
  unheld: 'unheld',
};

/**
 * Stands between buildah 1.28 and runc. Of control groups, version 1 lets a container write in its own: they become read-only. Of the
 * files that are mounted in /etc, runc leaves an empty file of mode 0755 in the layer where the image has none (buildah#4242): these go
 * when the container is gone. `etc` is touched only if it is a folder, since a link may lead to the server's. What the kernel counted of
 * the limits goes with the container's group: it is noted before. A file `.wh.x` would become the deletion of `x` in the layer: the
 * command fails, before its layer is made and cached. It starts few programs: it runs five times for each RUN.
 */
const RUNTIME = (events: readonly string[]) => String.raw`#!/bin/sh
set -eu
bundle=
name=
for word; do
  [ "$name" != --bundle ] || bundle=$word
  name=$word
done
notes=${INSIDE.temporary}/runtime-$name
case $1 in
create)
  sed -i 's/\("type":"cgroup","source":"cgroup","options":\[[^]]*\)"rw"]/\1"ro"]/' "$bundle/config.json"
  root=$bundle/mnt/rootfs
  echo "$root" >"$notes"
  if [ ! -L "$root/etc" ] && [ -d "$root/etc" -o ! -e "$root/etc" ]; then
    [ -e "$root/etc" ] || echo etc >>"$notes"
    for file in hosts hostname resolv.conf; do
      [ -e "$root/etc/$file" -o -L "$root/etc/$file" ] || echo "etc/$file" >>"$notes"
    done
  fi
  exec runc "$@" ;;
delete)
  for file in ${events.map((file) => `'${file}'`).join(' ')}; do
    [ ! -e "$file" ] || while read -r line; do echo "$line"; done <"$file"
  done >${join(INSIDE.work, FILES.events)}
  status=0
  runc "$@" || status=$?
  [ -e "$notes" ] || exit "$status"
  {
    read -r root
    etc=
    set --
    while read -r path && [ ! -L "$root/etc" ]; do
      if [ "$path" = etc ]; then etc=$root/etc
      elif [ ! -L "$root/$path" ] && [ -f "$root/$path" ] && [ ! -s "$root/$path" ]; then set -- "$@" "$root/$path"
      fi
    done
  } <"$notes"
  rm -- "$notes" "$@"
  [ -z "$etc" ] || rmdir -- "$etc" 2>/dev/null || true
  upper=$(sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* $root .*[,]upperdir=\([^,]*\).*|\1|p" /proc/self/mountinfo)
  case $upper in /*) ;; *) upper=${INSIDE.store}/overlay/$upper ;; esac
  find "$upper" -mindepth 1 -name '.wh.*' -printf '%P' -quit >${join(INSIDE.work, FILES.unheld)}
  [ ! -s ${join(INSIDE.work, FILES.unheld)} ] || status=1
  exit "$status" ;;
*)
  exec runc "$@" ;;
esac
`;

/** Writes it to a build's work folder. */
export async function writeRuntime(work: string, events: readonly string[]): Promise<void> {
  await writeFile(join(work, FILES.runtime), RUNTIME(events), { mode: 0o755 });
}

/** Options of every buildah that runs confined: the stores. */
export function globals(): string[] {
  return [
    ...['--root', INSIDE.store, '--runroot', INSIDE.run, '--storage-driver', 'overlay'],
    ...['--storage-opt', `overlay.imagestore=${INSIDE.images}`],
  ];
}

/** To be run confined, with `environment`. */
export function buildCommand(build: {
  id: string;
  args: Readonly<Record<string, string>>;
  cache: boolean;
  /** Of an image that is made from nothing. */
  architecture: Architecture | undefined;
  /** What it may copy from besides the user's folder: folders in `copies`. */
  folders: readonly string[];
}): string[] {
  const { id, args, cache, architecture, folders } = build;
  const work = (name: string) => join(INSIDE.work, name);
  const cpu = architecture && ociName(architecture);
  return [
    ...['buildah', ...globals(), 'build'],
    // Docker's format: OCI's has no SHELL, HEALTHCHECK and ONBUILD.
    ...['--format', 'docker', '--layers', ...(cache ? [] : ['--no-cache']), '--pull=never'],
    // The network is that of the confinement.
    ...['--isolation', 'oci', '--network', 'host', '--http-proxy=false', '--runtime', work(FILES.runtime)],
    ...['--cgroup-parent', `/${groupName(id)}/${RUNNING}`],
    ...['--identity-label=false', '--ignorefile', '/dev/null', '--iidfile', work(FILES.result)],
    ...(cpu ? ['--arch', cpu.oci, ...(cpu.variant ? ['--variant', cpu.variant] : [])] : []),
    ...Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`),
    ...folders.map((name) => `--build-context=${name}=${work(join(FILES.copies, name, 'tree'))}`),
    ...['--file', work(FILES.dockerfile), '--', work(FILES.context)],
  ];
}

/** Nothing of the server's own: no proxies, no logins. */
export function environment(): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: INSIDE.temporary,
    LANG: 'C.UTF-8',
    TMPDIR: INSIDE.temporary,
    CONTAINERS_CONF: join(INSIDE.work, FILES.config),
  };
}

/** Control group of a build's commands. */
export function groupName(id: string): string {
  return `walt-build-${id}`;
}

/** Removes the containers of builds that were killed from a store that no build uses now. */
export async function removeContainers(host: HostCommand, store: string, config: string): Promise<void> {
  const runroot = await mkdtemp(join(tmpdir(), 'walt-build-'));
  try {
    const globals = ['--root', store, '--runroot', runroot, '--storage-driver', 'overlay'];
    await run(host(['unshare', '--mount', '--', 'buildah', ...globals, 'rm', '--all']), {
      env: { CONTAINERS_CONF: config },
    });
  } finally {
    await rm(runroot, { recursive: true, force: true });
  }
}
