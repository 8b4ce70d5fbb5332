import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_PRINCIPALS } from '@walt/contract';
import {
  isExternalError,
  namesIn,
  type Paths,
  publishFile,
  readIfPresent,
  run,
  syncFolder,
  UserError,
  writeFileAtomic,
} from '../platform/index.ts';
import { type HostAuthority, makeHostKey, readHostAuthority } from './host-keys.ts';
import { parsePublicKey } from './public-key.ts';

/** Seconds for which a user's certificate lets him in; a session that is open then goes on. */
const USER_CERTIFICATE_LIFE = 600;

/** What a node needs to be trusted and to trust. */
export interface NodeIdentity {
  /** Private key, OpenSSH format (HostKey of sshd_config(5)). */
  hostKey: string;
  /** HostCertificate of sshd_config(5). */
  hostCertificate: string;
  /** Public key of the authority that signs users (TrustedUserCAKeys). */
  userCa: string;
  /** The one line of AuthorizedPrincipalsFile: the node's alias. */
  principal: string;
}

interface Authority {
  privateKey: string;
  /** "ssh-ed25519 BASE64". */
  publicKey: string;
}

/**
 * The platform's two SSH authorities: one signs users' keys, for minutes; one signs nodes' host keys, without an end, since
 * boards without a clock boot in 1970, but for a name that the node has only as long as its owner. Owns ssh-keygen. All keys stay in `paths.keys` (mode 700).
 */
export class SshAuthority {
  readonly #folder: string;
  readonly #user: Authority;
  readonly #host: Authority;
  readonly #hostKey: HostAuthority;
  /** The last piece of work on each node's keys, by node id. */
  readonly #working = new Map<number, Promise<unknown>>();

  private constructor(folder: string, user: Authority, host: Authority, hostKey: HostAuthority) {
    this.#folder = folder;
    this.#user = user;
    this.#host = host;
    this.#hostKey = hostKey;
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
    const hostKey = readHostAuthority(await readFile(host.privateKey, 'utf8'));
    return new SshAuthority(paths.keys, user, host, hostKey);
  }

  /**
   * What a node is called in certificates while `owner` has it: the name of its host key (HostKeyAlias of ssh_config(5)), and what
   * a user's certificate must contain. Both are new after another owner, so what former owners kept opens and proves nothing.
   */
  async nodeAlias(node: { id: number; owner: string }): Promise<string> {
    return (await this.#inTurn(node.id, () => this.#tenure(node))).alias;
  }

  /** Lines for a known_hosts file that make ssh trust every node. */
  knownHosts(): string {
    return `@cert-authority walt-node-* ${this.#host.publicKey}\n`;
  }

  /**
   * Signs a user's public key for some nodes, from one minute ago (clocks differ) for ten minutes. `keyId` is what sshd logs; `from`
   * are the addresses, as sshd's `source-address` takes them, from which alone it lets somebody in. `expires` is Unix time in seconds. Throws INVALID when the key is none, or when there are too many principals.
   */
  async certifyUser(
    publicKey: string,
    principals: readonly string[],
    { keyId, from }: { keyId: string; from: string },
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
      const options = [...permits, `source-address=${from}`].flatMap((option) => ['-O', option]);
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
      // Without ssh-keygen's comment.
      const [type, blob] = (await readFile(join(folder, 'key-cert.pub'), 'utf8')).split(/\s/);
      return { certificate: `${type} ${blob}`, expires };
    });
  }

  /** A boot of this owner begins: keys of earlier ones are forgotten. Idempotent. */
  async beginBoot({ id, owner }: { id: number; owner: string }): Promise<void> {
    await this.#inTurn(id, async () => {
      for (const name of await namesIn(this.#nodeFolder(id))) {
        if (name !== ownersFolder(owner))
          await rm(join(this.#nodeFolder(id), name), { recursive: true, force: true });
      }
    });
  }

  /** Host key and certificate of a node, made once for each time that an owner has it. */
  async nodeIdentity(node: { id: number; owner: string }): Promise<NodeIdentity> {
    return await this.#inTurn(node.id, async () => {
      const { folder, alias } = await this.#tenure(node);
      const key = join(folder, 'key');
      return {
        hostKey: await readFile(key, 'utf8'),
        hostCertificate: await readFile(`${key}-cert.pub`, 'utf8'),
        userCa: `${this.#user.publicKey}\n`,
        principal: alias,
      };
    });
  }

  /** Forgets the keys of a node that is no more. */
  async removeNode(nodeId: number): Promise<void> {
    await this.#inTurn(nodeId, () => rm(this.#nodeFolder(nodeId), { recursive: true, force: true }));
  }

  #nodeFolder(id: number): string {
    return join(this.#folder, 'nodes', String(id));
  }

  /** One at a time for each node: two requests of one node must not make two keys. */
  #inTurn<T>(id: number, work: () => Promise<T>): Promise<T> {
    const before = this.#working.get(id) ?? Promise.resolve();
    const working = before.then(work, work);
    this.#working.set(id, working);
    const done = () => {
      if (this.#working.get(id) === working) this.#working.delete(id);
    };
    working.then(done, done);
    return working;
  }

  /** Where the keys of a node's time under an owner are, and how it is called then. Makes them when they are not there. */
  async #tenure({ id, owner }: { id: number; owner: string }): Promise<{ folder: string; alias: string }> {
    const nodeFolder = this.#nodeFolder(id);
    // A boot that a server before version 11.1 began: one key for life. It goes on until the next boot begins.
    if ((await readIfPresent(join(nodeFolder, 'key-cert.pub'))) !== undefined) {
      return { folder: nodeFolder, alias: `walt-node-${id}` };
    }
    const folder = join(nodeFolder, ownersFolder(owner));
    const [alias = '', ...signer] = ((await readIfPresent(join(folder, 'alias'))) ?? '').split(' ');
    // Another authority is as good as none: nobody would believe its certificate.
    if (signer.join(' ') === `${this.#host.publicKey}\n`) return { folder, alias };
    return { folder, alias: await this.#makeTenure(id, owner) };
  }

  /** In one step: what is there is whole. Answers the alias. */
  async #makeTenure(id: number, owner: string): Promise<string> {
    const alias = `walt-node-${id}-${randomBytes(8).toString('hex')}`;
    const folder = join(this.#nodeFolder(id), ownersFolder(owner));
    await this.#inScratch(async (scratch) => {
      const { privateKey, certificate } = makeHostKey(alias, this.#hostKey);
      await writeFileAtomic(join(scratch, 'key'), privateKey, 0o600);
      await writeFileAtomic(join(scratch, 'key-cert.pub'), certificate, 0o600);
      await writeFileAtomic(join(scratch, 'alias'), `${alias} ${this.#host.publicKey}\n`, 0o600);
      await mkdir(this.#nodeFolder(id), { recursive: true, mode: 0o700 });
      await rm(folder, { recursive: true, force: true });
      await rename(scratch, folder);
      await syncFolder(this.#nodeFolder(id));
      await syncFolder(join(this.#folder, 'nodes'));
    });
    return alias;
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

/** Never the name of a file that an older server left there. */
function ownersFolder(owner: string): string {
  return `of-${owner}`;
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
