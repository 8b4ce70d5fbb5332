import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import {
  KeyedLock,
  type Paths,
  type RegistryConfig,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import {
  type RegistryAccess,
  RegistryGate,
  refusedPassword,
  unknownRegistry,
} from '../registry-gate/index.ts';
import type { HostCommand } from '../types.ts';

/** Docker Hub's own: the name that users write is that of its web site. */
const HUB = { origin: 'https://registry-1.docker.io', searchOrigin: 'https://index.docker.io' };

/**
 * The registries of server.conf, and users' logins to them: one file per user, in the format that podman and skopeo share
 * (containers-auth.json(5)).
 */
export class RegistryAccounts {
  readonly configured: readonly RegistryConfig[];
  readonly #paths: Paths;
  readonly #host: HostCommand;
  /** By user: the whole file is read and written anew. */
  readonly #writing = new KeyedLock();

  private constructor(configured: readonly RegistryConfig[], paths: Paths, host: HostCommand) {
    this.configured = configured;
    this.#paths = paths;
    this.#host = host;
  }

  static async open(
    configured: readonly RegistryConfig[],
    paths: Paths,
    host: HostCommand,
  ): Promise<RegistryAccounts> {
    await mkdir(paths.keys, { recursive: true, mode: 0o700 });
    await mkdir(paths.logins, { recursive: true, mode: 0o700 });
    // What servers had there whose skopeo asked registries itself.
    await rm(join(paths.services, 'registries'), { recursive: true, force: true });
    return new RegistryAccounts(configured, paths, host);
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

  /**
   * The way to a registry in the name of `user`, which ends with `signal`; to be disposed. Throws UserError NOT_FOUND, and UNAVAILABLE
   * when the authority's certificate cannot be read.
   */
  async gate(user: string, label: string, signal?: AbortSignal): Promise<RegistryGate> {
    const registry = this.registry(label);
    const credentials = (await this.#login(user, registry.host)) ?? null;
    return this.#gate({ registry, credentials }, signal);
  }

  /** Name under which `user` is logged in, or undefined. */
  async username(user: string, { host }: RegistryConfig): Promise<string | undefined> {
    return (await this.#login(user, host))?.username;
  }

  /** Throws UserError when the registry does not accept it; the earlier login stays then. */
  async login(user: string, label: string, username: string, password: string): Promise<void> {
    const registry = this.registry(label);
    await using gate = await this.#gate({ registry, credentials: { username, password } });
    if (!(await gate.accepts())) throw refusedPassword(label);
    const auth = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
    await this.#change(user, (auths) => ({ ...auths, [registry.host]: { auth } }));
  }

  /** Answers the name under which `user` was logged in. */
  async logout(user: string, label: string): Promise<string | undefined> {
    const registry = this.registry(label);
    const username = await this.username(user, registry);
    if (username === undefined) return undefined;
    await this.#change(user, ({ [registry.host]: _gone, ...rest }) => rest);
    return username;
  }

  async #gate(
    { registry, credentials }: { registry: RegistryConfig; credentials: RegistryAccess['credentials'] },
    signal?: AbortSignal,
  ): Promise<RegistryGate> {
    const { label, kind, host, protocol, ca, otherHosts } = registry;
    const authority = ca === undefined ? null : await readAuthority(label, ca);
    const where = kind === 'docker-hub' ? HUB : { origin: `${protocol}://${host}`, searchOrigin: null };
    const { runtime: platform } = this.#paths;
    const access = { label, host, ...where, platform, credentials, authority, otherHosts };
    return new RegistryGate(access, this.#host, signal);
  }

  async #login(user: string, host: string): Promise<{ username: string; password: string } | undefined> {
    const auth = (await this.#read(user))[host]?.auth;
    if (auth === undefined) return undefined;
    const text = Buffer.from(auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return { username: text.slice(0, colon), password: text.slice(colon + 1) };
  }

  async #read(user: string): Promise<Logins> {
    const text = await readIfPresent(this.#file(user));
    return text === undefined ? {} : (logins.parse(JSON.parse(text)).auths ?? {});
  }

  #change(user: string, change: (auths: Logins) => Logins): Promise<void> {
    return this.#writing.hold(user, async () => {
      const auths = change(await this.#read(user));
      await writeFileAtomic(this.#file(user), `${JSON.stringify({ auths }, null, 2)}\n`, 0o600);
    });
  }

  /** A login name of the system holds no slash (`userName` of the contract). */
  #file(user: string): string {
    return join(this.#paths.logins, `${user}.json`);
  }
}

async function readAuthority(label: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    throw new UserError(
      'UNAVAILABLE',
      `The server cannot read ${path}, the authority of registry "${label}".`,
      `Check "ca" of registry "${label}" in server.conf.`,
    );
  }
}

/** containers-auth.json(5), as far as we read it. */
const logins = z.object({
  auths: z.record(z.string(), z.looseObject({ auth: z.string().optional() })).optional(),
});
type Logins = NonNullable<z.infer<typeof logins>['auths']>;
