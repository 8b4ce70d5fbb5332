import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { attempt, type ExecOptions, ExternalError, run } from '../platform/index.ts';
import { explainRegistry } from './registry-failure.ts';
import { imageId, type Store } from './store.ts';
import type { HostCommand } from './types.ts';

/** A registry as one user meets it. */
export interface RegistryAccess {
  label: string;
  /** `host` or `host:port`. */
  host: string;
  protocol: 'https' | 'http';
  /** The authority that signed its certificate: a file `*.crt`, alone in its folder; undefined: one that Debian knows. */
  ca: string | undefined;
  /** The user's logins (containers-auth.json(5)); may be an empty file's name for who has none. */
  authFile: string;
  /** Empty folder as home: logins of the account that the server runs under are nobody else's. */
  home: string;
}

/** `repository:tag` or `repository@digest`. */
type Reference = string;

/**
 * The one module that calls skopeo. Each method asks a registry, and throws UserError where the registry or the way to it is at
 * fault. Passwords reach skopeo by its standard input and by files only.
 */
export class Skopeo {
  readonly #host: HostCommand;
  readonly #store: Store;

  constructor(host: HostCommand, store: Store) {
    this.#host = host;
    this.#store = store;
  }

  /** Tries a password, and stores it in the access's file (mode 600) when the registry accepts it. */
  async login(access: RegistryAccess, username: string, password: string): Promise<void> {
    const options = [...tls(access, ''), '--authfile', access.authFile, '--username', username];
    const words = ['login', ...options, '--password-stdin', '--', access.host];
    await this.#run(access, undefined, words, { input: password });
  }

  async logout(access: RegistryAccess): Promise<void> {
    await this.#run(access, undefined, ['logout', '--authfile', access.authFile, '--', access.host]);
  }

  /** Text of a manifest or index, as the registry sends it. */
  manifest(access: RegistryAccess, reference: Reference): Promise<string> {
    return this.#inspect(access, reference, ['--raw']);
  }

  /** Text of an image's configuration, as the registry sends it. */
  configuration(access: RegistryAccess, reference: Reference): Promise<string> {
    return this.#inspect(access, reference, ['--config', '--raw']);
  }

  async tags(access: RegistryAccess, repository: string): Promise<string[]> {
    const words = ['list-tags', ...tls(access, ''), '--authfile', access.authFile, '--'];
    const out = await this.#run(access, repository, [...words, `docker://${access.host}/${repository}`]);
    return tagList.parse(JSON.parse(out)).Tags ?? [];
  }

  /**
   * Copies an image into the store, as the image `digest`, without a name. Layers lie in folder `temporary` while they arrive.
   * Those that are in the store already are not fetched, and those that arrived stay there when it fails.
   */
  async copyIn(
    access: RegistryAccess,
    copy: { reference: Reference; digest: string; temporary: string; signal: AbortSignal },
  ): Promise<void> {
    const { reference, digest, temporary, signal } = copy;
    const options = [...tls(access, 'src-'), '--authfile', access.authFile, '--preserve-digests'];
    const images = [`docker://${access.host}/${reference}`, this.#store.reference(digest)];
    const words = ['--tmpdir', temporary, 'copy', ...options, '--', ...images];
    await this.#run(access, reference, words, { signal });
  }

  /** Copies an image of the store to a registry. Answers the digest of its manifest there. */
  async copyOut(
    access: RegistryAccess,
    copy: {
      reference: Reference;
      digest: string;
      temporary: string;
      signal: AbortSignal;
      /** Called when a layer's turn comes. */
      onLayer: () => void;
    },
  ): Promise<string> {
    const { reference, digest, temporary, signal, onLayer } = copy;
    const options = [...tls(access, 'dest-'), '--authfile', access.authFile];
    const digestFile = join(temporary, 'digest');
    const out = ['--digestfile', digestFile];
    const images = [this.#store.reference(digest), `docker://${access.host}/${reference}`];
    const words = ['--tmpdir', temporary, 'copy', ...options, ...out, '--', ...images];
    const onStdoutLine = (line: string) => {
      if (line.startsWith('Copying blob ')) onLayer();
    };
    await this.#run(access, reference, words, { signal, onStdoutLine });
    return (await readFile(digestFile, 'utf8')).trim();
  }

  /**
   * Copies an image from another store on this machine into ours, without a name. The other one has its lower layers of `images`, in
   * which our own are mounted meanwhile; those are not copied.
   */
  async copyBuilt(
    from: { root: string; run: string; images: string },
    { digest, temporary, signal }: { digest: string; temporary: string; signal: AbortSignal },
  ): Promise<void> {
    const options = `overlay.imagestore=${from.images}`;
    const source = `containers-storage:[overlay@${from.root}+${from.run}:${options}]@${imageId(digest)}`;
    const words = ['--tmpdir', temporary, 'copy', '--', source, this.#store.reference(digest)];
    const mounts = [this.#store.layerFolder, join(from.images, 'overlay')];
    const argv = ['unshare', '--mount', '--', '/bin/sh', '-c', MOUNTED, 'sh', ...mounts, 'skopeo', ...words];
    await run(this.#host(['setpriv', '--pdeathsig', 'TERM', '--', ...argv]), { signal });
  }

  /** Copies an image that lies in a folder (transport `dir`) into the store, as the image `digest`, without a name. */
  async copyFolder(copy: {
    folder: string;
    digest: string;
    signal?: AbortSignal | undefined;
  }): Promise<void> {
    const { folder, digest, signal } = copy;
    const images = [`dir:${folder}`, this.#store.reference(digest)];
    const words = ['--tmpdir', folder, 'copy', '--quiet', '--preserve-digests', '--', ...images];
    await this.#local(words, signal && { signal });
  }

  /** The policy of signatures is for what comes from elsewhere. */
  #local(words: readonly string[], options: ExecOptions = {}): Promise<string> {
    return run(
      this.#host(['setpriv', '--pdeathsig', 'TERM', '--', 'skopeo', '--insecure-policy', ...words]),
      options,
    );
  }

  #inspect(access: RegistryAccess, reference: Reference, what: string[]): Promise<string> {
    const options = [...what, ...tls(access, ''), '--authfile', access.authFile];
    const words = ['inspect', ...options, '--', `docker://${access.host}/${reference}`];
    return this.#run(access, reference, words);
  }

  /** A killed server leaves no skopeo behind: what it does is worth nothing without the rest. */
  async #run(
    access: RegistryAccess,
    what: string | undefined,
    words: readonly string[],
    options: ExecOptions = {},
  ): Promise<string> {
    const argv = this.#host(['setpriv', '--pdeathsig', 'TERM', '--', 'skopeo', ...words]);
    const { status, stdout, stderr } = await attempt(argv, { ...options, env: registryEnv(access) });
    if (status === 0) return stdout;
    const text = complaint(stderr);
    throw (
      explainRegistry(text, { label: access.label, host: access.host, what }) ??
      new ExternalError(['skopeo', ...words], status, text)
    );
  }
}

/** For programs that ask a registry in the name of a user: they find his login, and nobody else's. */
export function registryEnv({ home, authFile }: RegistryAccess): Record<string, string> {
  return { HOME: home, XDG_CONFIG_HOME: home, DOCKER_CONFIG: home, REGISTRY_AUTH_FILE: authFile };
}

function tls({ protocol, ca }: RegistryAccess, prefix: '' | 'src-' | 'dest-'): string[] {
  const certificates = ca === undefined ? [] : [`--${prefix}cert-dir`, dirname(ca)];
  return [`--${prefix}tls-verify=${protocol === 'https'}`, ...certificates];
}

/** With mounts of its own, of which nothing is left: those of containers/storage neither. */
const MOUNTED = 'mount --bind -- "$1" "$2" && shift 2 && exec "$@"';

/** skopeo complains as `time="…" level=fatal msg="…"`. */
function complaint(stderr: string): string {
  const quoted = /level=fatal msg=("(?:[^"\\]|\\.)*")/.exec(stderr)?.[1];
  if (quoted === undefined) return stderr;
  try {
    return z.string().parse(JSON.parse(quoted));
  } catch {
    return stderr;
  }
}

const tagList = z.object({ Tags: z.array(z.string()).nullable() });
