import { imageId } from './store.ts';

const NAME_PREFIX = 'walt-shell-';

export function shellContainerName(session: string): string {
  return `${NAME_PREFIX}${session}`;
}

/** Seconds that a shell has to end after SIGHUP, when it is saved or discarded while it runs. */
export const STOP_LIMIT = 1;

/** The first shell that the image has becomes the container's only process. */
const SHELL = 'cd /root 2>/dev/null; command -v bash >/dev/null && exec bash; exec sh';

/** libpod's SpecGenerator of a shell session: no service, no init, the shell is the only process. */
export function shellSpec(session: { id: string; digest: string; image: string }): Record<string, unknown> {
  return {
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
    // User-mode networking: no bridge, no firewall rule, no sysctl on the host.
    netns: { nsmode: 'slirp4netns' },
    // What the image declares as volumes is part of it, and saved like the rest.
    image_volume_mode: 'ignore',
    env: shellEnvironment(),
  };
}

/** libpod's SpecGenerator of one command: no shell, no terminal; standard input stays open until its end is passed on. */
export function commandSpec(run: {
  name: string;
  digest: string;
  /** Of the image, for the host's name. */
  image: string;
  command: readonly string[];
}): Record<string, unknown> {
  const { terminal: _, stop_signal: __, ...common } = shellSpec({ ...run, id: run.name });
  return {
    ...common,
    name: run.name,
    entrypoint: [...run.command],
    terminal: false,
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

function shellEnvironment(): Record<string, string> {
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
