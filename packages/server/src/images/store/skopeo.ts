import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { attempt, type ExecOptions, ExternalError, run } from '../../platform/index.ts';
import type { GateDoor } from '../registry-gate/index.ts';
import type { HostCommand } from '../types.ts';
import { imageId, type Store } from './store.ts';
import { explainUnpacking } from './unpack-failure.ts';

/** An image on its way between the store and a registry. */
export interface Copy {
  /** The registry, behind its gate. */
  door: GateDoor;
  /** `:tag` or `@digest`. */
  version: string;
  /** Of its configuration. */
  digest: string;
  /** Where layers lie on their way. */
  temporary: string;
  signal: AbortSignal;
}

/**
 * The one module that calls skopeo. It meets registries behind their gate only: it would send a password wherever a registry wants
 * it, and go wherever that leads. Methods throw ExternalError, whose output is what skopeo says.
 */
export class Skopeo {
  readonly #host: HostCommand;
  readonly #store: Store;

  constructor(host: HostCommand, store: Store) {
    this.#host = host;
    this.#store = store;
  }

  /**
   * Copies an image into the store, as the image `digest`, without a name. Layers that are in the store already are not fetched,
   * and those that arrived stay there when it fails.
   */
  async copyIn(copy: Copy): Promise<void> {
    const images = [`docker://${copy.door.name}${copy.version}`, this.#store.reference(copy.digest)];
    await this.#copy(copy, ['--src-tls-verify=false', '--preserve-digests'], images);
  }

  /** Copies an image of the store to a registry. Answers the digest of its manifest there. */
  async copyOut(copy: Copy & { onLayer: () => void }): Promise<string> {
    const digestFile = join(copy.temporary, 'digest');
    const images = [this.#store.reference(copy.digest), `docker://${copy.door.name}${copy.version}`];
    const onStdoutLine = (line: string) => {
      if (line.startsWith('Copying blob ')) copy.onLayer();
    };
    const options = ['--dest-tls-verify=false', '--digestfile', digestFile];
    await this.#copy(copy, options, images, { onStdoutLine });
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
    await run(this.#host(argv), { signal, deathSignal: 'TERM' });
  }

  /** Copies an image that lies in a folder (transport `dir`) into the store, as the image `digest`, without a name. Throws as `explainUnpacking`. */
  async copyFolder(copy: {
    folder: string;
    digest: string;
    signal?: AbortSignal | undefined;
  }): Promise<void> {
    const { folder, digest, signal } = copy;
    const images = [`dir:${folder}`, this.#store.reference(digest)];
    const words = ['--tmpdir', folder, 'copy', '--quiet', '--preserve-digests', '--', ...images];
    try {
      await this.#local(words, signal && { signal });
    } catch (error) {
      throw explainUnpacking(error);
    }
  }

  /** The policy of signatures is for what comes from elsewhere. */
  #local(words: readonly string[], options: ExecOptions = {}): Promise<string> {
    const argv = this.#host(['skopeo', '--insecure-policy', ...words]);
    return run(argv, { ...options, deathSignal: 'TERM' });
  }

  /** A killed server leaves no skopeo behind: what it does is worth nothing without the rest. */
  async #copy(
    { door, temporary, signal }: Copy,
    options: readonly string[],
    images: readonly string[],
    more: ExecOptions = {},
  ): Promise<void> {
    const logins = join(temporary, 'logins.json');
    await writeFile(logins, door.logins, { mode: 0o600 });
    const words = ['--tmpdir', temporary, 'copy', ...options, '--authfile', logins, '--', ...images];
    const argv = this.#host(['skopeo', ...words]);
    // No account's own logins, settings or certificates count.
    const env = { HOME: temporary, XDG_CONFIG_HOME: temporary, DOCKER_CONFIG: temporary };
    const result = await attempt(argv, { ...more, signal, env, deathSignal: 'TERM' });
    if (result.status !== 0) throw new ExternalError(argv, result.status, complaint(result.stderr));
  }
}

/** With mounts of its own, of which nothing is left: those of containers/storage neither. */
const MOUNTED = 'mount --bind -- "$1" "$2" && shift 2 && exec "$@"';

/** skopeo complains as `time="…" level=fatal msg="…"`, and may quote a registry in it. */
function complaint(stderr: string): string {
  const begin = stderr.lastIndexOf(FATAL);
  const quoted = /^"(?:[^"\\]|\\.)*"/.exec(stderr.slice(begin + FATAL.length))?.[0];
  if (begin < 0 || quoted === undefined) return stderr;
  try {
    return z.string().parse(JSON.parse(quoted));
  } catch {
    return stderr;
  }
}

const FATAL = 'level=fatal msg=';
