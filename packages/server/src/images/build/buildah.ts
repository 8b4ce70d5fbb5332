/** The command lines of `buildah build` and of what it leaves (buildah-build(1), buildah-rm(1)). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { run } from '../../platform/index.ts';
import { ociName } from '../architectures.ts';
import type { HostCommand } from '../types.ts';
import { INSIDE } from './confined.ts';

/** Files of a build in its work folder. */
export const FILES = {
  dockerfile: 'Containerfile',
  config: 'containers.conf',
  result: 'result',
  context: 'context',
};

/** To be run confined, with `environment`. */
export function buildCommand(build: {
  id: string;
  args: Readonly<Record<string, string>>;
  cache: boolean;
  /** Of an image that is made from nothing. */
  architecture: Architecture | undefined;
}): string[] {
  const { id, args, cache, architecture } = build;
  const work = (name: string) => join(INSIDE.work, name);
  const cpu = architecture && ociName(architecture);
  return [
    ...['buildah', '--root', INSIDE.store, '--runroot', INSIDE.run, '--storage-driver', 'overlay'],
    ...['--storage-opt', `overlay.imagestore=${INSIDE.images}`, 'build'],
    // Docker's format: OCI's has no SHELL, HEALTHCHECK and ONBUILD.
    ...['--format', 'docker', '--layers', ...(cache ? [] : ['--no-cache']), '--pull=never'],
    // The network is that of the confinement.
    ...[
      '--isolation',
      'oci',
      '--network',
      'host',
      '--http-proxy=false',
      '--cgroup-parent',
      `/${groupName(id)}`,
    ],
    ...['--identity-label=false', '--ignorefile', '/dev/null', '--iidfile', work(FILES.result)],
    ...(cpu ? ['--arch', cpu.oci, ...(cpu.variant ? ['--variant', cpu.variant] : [])] : []),
    ...Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`),
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
