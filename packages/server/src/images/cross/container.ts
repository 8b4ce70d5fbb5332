import type { ContainerLimits } from '../../platform/index.ts';
import { commonSpec } from '../containers/index.ts';
import { buildEnvironment } from './environment.ts';
import { SYSROOT, TOOLS } from './places.ts';
import type { Layout } from './tools.ts';

/** Name of the containers of builds; each start of the server removes those that are left. */
export function buildContainerName(id: string): string {
  return `walt-cross-${id}`;
}

/**
 * libpod's SpecGenerator of a build: the toolchain's tree below a layer that is thrown away, the image read-only but for the folder
 * that takes what is installed.
 */
export function buildSpec(build: {
  id: string;
  layout: Layout;
  command: readonly string[];
  /** The user's folder, as the command sees it. */
  folder: string;
  /** On the server: toolchain, the image's mounted tree, our files, the copy of the folder. */
  places: { toolchain: string; image: string; tools: string; work: string };
  limits: ContainerLimits;
}): Record<string, unknown> {
  const { id, layout, command, folder, places, limits } = build;
  const [first = '', ...more] = command;
  const bind = (source: string, destination: string, mode: 'ro' | 'rw') => ({
    ...{ type: 'bind', source, destination, options: ['rbind', 'rprivate', mode] },
  });
  return {
    name: buildContainerName(id),
    rootfs: places.toolchain,
    rootfs_overlay: true,
    // One word is a line of shell, several are passed on as they are.
    entrypoint: [
      '/bin/sh',
      '-c',
      more.length === 0 ? first : 'exec "$@"',
      'sh',
      ...(more.length > 0 ? command : []),
    ],
    command: [],
    user: '0:0',
    work_dir: folder,
    hostname: 'cross',
    terminal: false,
    stdin: false,
    // Not the server's own, and none of the proxy variables of its environment.
    env: buildEnvironment(layout),
    httpproxy: false,
    systemd: 'false',
    ...commonSpec(limits),
    mounts: [
      bind(places.image, SYSROOT, 'ro'),
      bind(`${places.image}${layout.prefix}`, layout.prefix, 'rw'),
      bind(places.tools, TOOLS, 'ro'),
      bind(places.work, folder, 'rw'),
    ],
  };
}
