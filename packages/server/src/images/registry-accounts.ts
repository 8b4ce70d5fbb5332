import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  fileExists,
  type Paths,
  type RegistryConfig,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../platform/index.ts';
import { KeyedLock } from './locks.ts';
import { unknownRegistry } from './registry-failure.ts';
import type { RegistryAccess, Skopeo } from './skopeo.ts';

/** The registries of server.conf, and users' logins to them: one file per user, in the format that podman and skopeo share. */
export class RegistryAccounts {
  readonly configured: readonly RegistryConfig[];
  readonly #paths: Paths;
  readonly #skopeo: Skopeo;
  /** By user: skopeo reads the whole file and writes it anew. */
  readonly #writing = new KeyedLock();

  private constructor(configured: readonly RegistryConfig[], paths: Paths, skopeo: Skopeo) {
    this.configured = configured;
    this.#paths = paths;
    this.#skopeo = skopeo;
  }

  static async open(
    configured: readonly RegistryConfig[],
    paths: Paths,
    skopeo: Skopeo,
  ): Promise<RegistryAccounts> {
    const accounts = new RegistryAccounts(configured, paths, skopeo);
    await mkdir(paths.keys, { recursive: true, mode: 0o700 });
    await mkdir(paths.logins, { recursive: true, mode: 0o700 });
    await mkdir(accounts.#home, { recursive: true, mode: 0o700 });
    await writeFileAtomic(accounts.#nobody, '{}\n', 0o600);
    return accounts;
  }

  /** Throws UserError NOT_FOUND for a label that is not in server.conf. */
  registry(label: string): RegistryConfig {
    const found = this.configured.find((registry) => registry.label === label);
    if (found) return found;
    throw unknownRegistry(
      label,
      this.configured.map((registry) => registry.label),
    );
  }

  /** How `user` reaches a registry. Throws UserError NOT_FOUND, and UNAVAILABLE when the authority's certificate cannot be read. */
  async access(user: string, label: string): Promise<RegistryAccess> {
    const { host, protocol, ca } = this.registry(label);
    const own = this.#file(user);
    return {
      ...{ label, host, protocol, home: this.#home },
      ca: ca === undefined ? undefined : await this.#authority(label, ca),
      authFile: (await fileExists(own)) ? own : this.#nobody,
    };
  }

  /** Name under which `user` is logged in, or undefined. */
  async username(user: string, { host }: RegistryConfig): Promise<string | undefined> {
    const text = await readIfPresent(this.#file(user));
    if (text === undefined) return undefined;
    const { auth } = logins.parse(JSON.parse(text)).auths?.[host] ?? {};
    return auth === undefined ? undefined : Buffer.from(auth, 'base64').toString('utf8').split(':')[0];
  }

  /** Throws UserError when the registry does not accept it; the earlier login stays then. */
  async login(user: string, label: string, username: string, password: string): Promise<void> {
    const access = await this.access(user, label);
    const authFile = this.#file(user);
    await this.#writing.hold(user, async () => {
      await this.#skopeo.login({ ...access, authFile }, username, password);
      await chmod(authFile, 0o600);
    });
  }

  /** Answers the name under which `user` was logged in. */
  async logout(user: string, label: string): Promise<string | undefined> {
    const access = await this.access(user, label);
    return this.#writing.hold(user, async () => {
      const username = await this.username(user, this.registry(label));
      if (username !== undefined) await this.#skopeo.logout(access);
      return username;
    });
  }

  /** A login name of the system holds no slash (`userName` of the contract). */
  #file(user: string): string {
    return join(this.#paths.logins, `${user}.json`);
  }

  /** What users without a login have. */
  get #nobody(): string {
    return join(this.#home, 'no-logins.json');
  }

  get #home(): string {
    return join(this.#paths.services, 'registries');
  }

  /** A copy of the certificate in a folder of its own, since skopeo takes all that lie there; a new one counts at once. */
  async #authority(label: string, source: string): Promise<string> {
    let certificate: string;
    try {
      certificate = await readFile(source, 'utf8');
    } catch {
      throw new UserError(
        'UNAVAILABLE',
        `The server cannot read ${source}, the authority of registry "${label}".`,
        `Check "ca" of registry "${label}" in server.conf.`,
      );
    }
    const folder = join(this.#home, label);
    const copy = join(folder, 'ca.crt');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await readIfPresent(copy)) !== certificate) await writeFileAtomic(copy, certificate);
    return copy;
  }
}

/** containers-auth.json(5), as far as we read it. */
const logins = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).optional(),
});
