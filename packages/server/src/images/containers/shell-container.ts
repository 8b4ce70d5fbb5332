import type { ContainerLimits } from '../../platform/index.ts';
import { imageId } from '../store/index.ts';

/** With these two programs, an image shell runs the image's own init: the first ends as that init, the second ends it. */
export const INIT_START = '/bin/walt-image-shell-start';
export const INIT_SHUTDOWN = '/bin/walt-image-shell-shutdown';

/** Marks such containers for podman's filters. */
export const INIT_LABEL = 'walt.shell.init';

const NAME_PREFIX = 'walt-shell-';

export function shellContainerName(session: string): string {
  return `${NAME_PREFIX}${session}`;
}

/** Seconds that a shell has to end after SIGHUP, when it is saved or discarded while it runs. */
export const STOP_LIMIT = 1;

/** The first shell that the image has. */
export const SHELL = 'cd /root 2>/dev/null; command -v bash >/dev/null && exec bash; exec sh';

interface SessionOf {
  id: string;
  digest: string;
  /** `owner/name`. */
  image: string;
  limits: ContainerLimits;
}

/** What all containers have of a SpecGenerator, in which users' programs run. */
export function commonSpec({ memory, processes }: ContainerLimits): Record<string, unknown> {
  return {
    // Without room in the swap space, which belongs to all.
    resource_limits: { memory: { limit: memory, swap: memory }, pids: { limit: processes } },
    // What an image says here is about a service: nobody looks after the health of a shell, and its signal may be any word.
    healthconfig: { Test: ['NONE'] },
    stop_signal: SIGTERM,
    // User-mode networking: no bridge, no firewall rule, no sysctl on the host.
    netns: { nsmode: 'slirp4netns' },
  };
}

const SIGTERM = 15;

/** libpod's SpecGenerator of a shell session: no service, no init, the shell is the only process. */
export function shellSpec(session: SessionOf): Record<string, unknown> {
  return {
    ...commonSpec(session.limits),
    name: shellContainerName(session.id),
    image: imageId(session.digest),
    entrypoint: ['/bin/sh', '-c', SHELL],
    command: [],
    user: '0:0',
    // Else podman adds what it misses to the image's /etc/passwd and /etc/group.
    manage_password: false,
    // Not /root: where an image has none, podman would refuse to start.
    work_dir: '/',
    hostname: hostname(session.image),
    terminal: true,
    stdin: true,
    // Bash as process 1 ignores SIGTERM; a terminal that goes away ends it.
    stop_signal: 1,
    systemd: 'false',
    // What the image declares as volumes is part of it, and saved like the rest.
    image_volume_mode: 'ignore',
    env: shellEnvironment(),
  };
}

/** systemd(1): SIGRTMIN+3 halts it. */
const SYSTEMD_HALT = 37;

/** libpod's SpecGenerator of a session in which the image's init runs; its shells are added (`image-init.ts`). */
export function initSpec(session: SessionOf): Record<string, unknown> {
  return {
    ...shellSpec(session),
    entrypoint: [INIT_START],
    terminal: false,
    stdin: false,
    // Control groups and /run, /tmp and the journal in memory, as systemd wants them.
    systemd: 'always',
    stop_signal: SYSTEMD_HALT,
    labels: { [INIT_LABEL]: 'true' },
    env: plainEnvironment(),
  };
}

/** libpod's SpecGenerator of one command: no shell, no terminal; standard input stays open until its end is passed on. */
export function commandSpec(run: {
  name: string;
  digest: string;
  /** Of the image, for the host's name. */
  image: string;
  command: readonly string[];
  limits: ContainerLimits;
}): Record<string, unknown> {
  return {
    ...shellSpec({ ...run, id: run.name }),
    name: run.name,
    entrypoint: [...run.command],
    terminal: false,
    stop_signal: SIGTERM,
    env: plainEnvironment(),
  };
}

/** Nothing here may leave a trace in the image: no history of commands or searches. */
function plainEnvironment(): Record<string, string> {
  return {
    LANG: 'C.UTF-8',
    HOME: '/root',
    HISTFILE: '/dev/null',
    LESSHISTFILE: '-',
    // A kernel package that is installed by hand must not make an initramfs: nodes do not use it.
    INITRD: 'No',
  };
}

export function shellEnvironment(): Record<string, string> {
  return {
    ...plainEnvironment(),
    TERM: 'xterm-256color',
    // The prompt says where one is: Debian's bashrc shows the first, other shells take the second.
    debian_chroot: 'image',
    PS1: '(image)\\u@\\h:\\w\\$ ',
  };
}

/** A host name (RFC 1123 label) that reminds of the image's name. */
export function hostname(image: string): string {
  const name = image.slice(image.indexOf('/') + 1);
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .slice(0, 63)
      .replace(/^-+|-+$/g, '') || 'image'
  );
}
