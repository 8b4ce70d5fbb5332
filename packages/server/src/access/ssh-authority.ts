import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isExternalError,
  type Paths,
  publishFile,
  readIfPresent,
  run,
  syncFolder,
  UserError,
  writeFileAtomic,
} from '../platform/index.ts';
import { parsePublicKey } from './public-key.ts';

/** Seconds for which a user's certificate lets him in; a session that is open then goes on. */
const USER_CERTIFICATE_LIFE = 600;
/** OpenSSH refuses a certificate with more principals (SSHKEY_CERT_MAX_PRINCIPALS in sshkey.h). */
export const MAX_PRINCIPALS = 256;

/** What a node needs to be trusted and to trust. */
export interface NodeIdentity {
  /** Private key, OpenSSH format (HostKey of sshd_config(5)). */
  hostKey: string;
  /** HostCertificate of sshd_config(5). */
  hostCertificate: string;
  /** Public key of the authority that signs users (TrustedUserCAKeys). */
  userCa: string;
  /** The one line of AuthorizedPrincipalsFile. */
  principal: string;
}

interface Authority {
  privateKey: string;
  /** "ssh-ed25519 BASE64". */
  publicKey: string;
}

/**
 * The platform's two SSH authorities: one signs users' keys, for minutes; one signs nodes' host keys, for good, since
 * boards without a clock boot in 1970. Owns ssh-keygen. All keys stay in `paths.keys` (mode 700).
 */
export class SshAuthority {
  readonly #folder: string;
  readonly #user: Authority;
  readonly #host: Authority;
  /** Identities being made, by node id: two requests of one node must not make two keys. */
  readonly #making = new Map<number, Promise<NodeIdentity>>();

  private constructor(folder: string, user: Authority, host: Authority) {
    this.#folder = folder;
    this.#user = user;
    this.#host = host;
  }

  /** Makes the authorities' keys at first use. Throws ExternalError when ssh-keygen fails. */
  static async open(paths: Pick<Paths, 'keys'>): Promise<SshAuthority> {
    await mkdir(join(paths.keys, 'nodes'), { recursive: true, mode: 0o700 });
    // What a killed server left.
    for (const name of await readdir(paths.keys)) {
      if (name.startsWith('scratch-')) await rm(join(paths.keys, name), { recursive: true, force: true });
    }
    const user = await ensureAuthority(paths.keys, 'user_ca');
    const host = await ensureAuthority(paths.keys, 'host_ca');
    return new SshAuthority(paths.keys, user, host);
  }

  /** Permanent name under which a node's host key is signed, whatever the node is called (HostKeyAlias of ssh_config(5)). */
  hostKeyAlias(nodeId: number): string {
    return `walt-node-${nodeId}`;
  }

  /** What a user's certificate must contain for that node to let him in. */
  principal(nodeId: number): string {
    return `walt-node-${nodeId}`;
  }

  /** Lines for a known_hosts file that make ssh trust every node. */
  knownHosts(): string {
    return `@cert-authority walt-node-* ${this.#host.publicKey}\n`;
  }

  /**
   * Signs a user's public key for some nodes, from one minute ago (clocks differ) for ten minutes. `keyId` is what sshd logs.
   * `expires` is Unix time in seconds. Throws INVALID when the key is none, or when there are too many principals.
   */
  async certifyUser(
    publicKey: string,
    principals: readonly string[],
    keyId: string,
  ): Promise<{ certificate: string; expires: number }> {
    const key = parsePublicKey(publicKey);
    if (principals.length > MAX_PRINCIPALS) {
      throw new UserError(
        'INVALID',
        `One SSH certificate covers at most ${MAX_PRINCIPALS} nodes, not ${principals.length}.`,
        `Ask for ${MAX_PRINCIPALS} nodes at a time.`,
      );
    }
    const expires = Math.floor(Date.now() / 1000) + USER_CERTIFICATE_LIFE;
    return await this.#inScratch(async (folder) => {
      const file = join(folder, 'key.pub');
      await writeFile(file, `${key}\n`, { mode: 0o600 });
      const permits = ['clear', 'permit-pty', 'permit-port-forwarding', 'permit-agent-forwarding'];
      const options = permits.flatMap((option) => ['-O', option]);
      const validity = ['-V', `-1m:+${USER_CERTIFICATE_LIFE}s`];
      try {
        await sign(this.#user, file, keyId, principals, [...validity, ...options]);
      } catch (error) {
        if (!isExternalError(error)) throw error;
        throw new UserError(
          'INVALID',
          'OpenSSH refused to sign this public key.',
          `Give another key (${error.message})`,
        );
      }
      return { certificate: (await readFile(join(folder, 'key-cert.pub'), 'utf8')).trim(), expires };
    });
  }

  /** Host key and certificate of a node. The key is made once; the certificate again when name or address have changed. */
  nodeIdentity(node: { id: number; name: string; ip: string }): Promise<NodeIdentity> {
    const before = this.#making.get(node.id) ?? Promise.resolve();
    const making = before.catch(() => {}).then(() => this.#ensureNodeIdentity(node));
    this.#making.set(node.id, making);
    const done = () => {
      if (this.#making.get(node.id) === making) this.#making.delete(node.id);
    };
    making.then(done, done);
    return making;
  }

  /** Forgets the keys of a node that is no more. */
  async removeNode(nodeId: number): Promise<void> {
    await rm(join(this.#folder, 'nodes', String(nodeId)), { recursive: true, force: true });
  }

  async #ensureNodeIdentity({
    id,
    name,
    ip,
  }: {
    id: number;
    name: string;
    ip: string;
  }): Promise<NodeIdentity> {
    const folder = join(this.#folder, 'nodes', String(id));
    const key = join(folder, 'key');
    if ((await readIfPresent(key)) === undefined) {
      await this.#inScratch(async (scratch) => {
        await generateKey(join(scratch, 'key'), this.hostKeyAlias(id));
        // A removal may have been interrupted half-way.
        await rm(folder, { recursive: true, force: true });
        await rename(scratch, folder);
        await syncFolder(join(this.#folder, 'nodes'));
      });
    }
    const principals = [this.hostKeyAlias(id), name, ip];
    const wanted = `${principals.join(',')} ${this.#host.publicKey}\n`;
    // Written after the certificate: what it tells is what the certificate says.
    const record = join(folder, 'certified');
    if ((await readIfPresent(record)) !== wanted) {
      await this.#inScratch(async (scratch) => {
        await copyFile(`${key}.pub`, join(scratch, 'key.pub'));
        await sign(this.#host, join(scratch, 'key.pub'), this.hostKeyAlias(id), principals, ['-h']);
        await publishFile(join(scratch, 'key-cert.pub'), `${key}-cert.pub`);
      });
      await writeFileAtomic(record, wanted, 0o600);
    }
    return {
      hostKey: await readFile(key, 'utf8'),
      hostCertificate: await readFile(`${key}-cert.pub`, 'utf8'),
      userCa: `${this.#user.publicKey}\n`,
      principal: this.principal(id),
    };
  }

  /** Runs `work` with a new folder, mode 700, that is gone afterwards unless `work` has moved it. */
  async #inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(this.#folder, 'scratch-'));
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function ensureAuthority(folder: string, name: string): Promise<Authority> {
  const privateKey = join(folder, name);
  if ((await readIfPresent(privateKey)) === undefined) {
    const scratch = await mkdtemp(join(folder, 'scratch-'));
    try {
      await generateKey(join(scratch, 'key'), `walt-${name}`);
      await publishFile(join(scratch, 'key'), privateKey);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
  // From the private key, so that the two cannot disagree.
  const derived = await run(['ssh-keygen', '-y', '-f', privateKey]);
  return { privateKey, publicKey: parsePublicKey(derived) };
}

/** Writes `file` and `file.pub`, and flushes both. */
async function generateKey(file: string, comment: string): Promise<void> {
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
  await publishFile(file, file);
  await publishFile(`${file}.pub`, `${file}.pub`);
}

/** Writes `NAME-cert.pub` beside `NAME.pub`. */
async function sign(
  authority: Authority,
  publicKeyFile: string,
  keyId: string,
  principals: readonly string[],
  options: readonly string[],
): Promise<void> {
  await run([
    'ssh-keygen',
    '-q',
    ...['-s', authority.privateKey, '-I', keyId, '-n', principals.join(',')],
    ...options,
    '--',
    publicKeyFile,
  ]);
}
