import { readFile } from 'node:fs/promises';
import { HUB, RUNTIME_FOLDER, registryHost, registryLabel } from '@walt/contract';
import { parse } from 'yaml';
import * as z from 'zod';
import { hasErrno, UserError } from './errors.ts';
import { interfaces } from './interfaces.ts';
import { limits, MIB } from './limits-config.ts';
import { type PostgresPlace, postgresUrl } from './postgres-config.ts';
import { powerConfig } from './power-config.ts';
import { quotaConfig } from './quota-config.ts';
import { slurmConfig, withOwnConfig } from './slurm-config.ts';

const DEFAULT_CONFIG_FILE = '/etc/walt/server.conf';

const absolute = z.string().startsWith('/', { error: 'must be an absolute path' });

const registryBase = { label: registryLabel, description: z.string().max(200).default('') };

const registry = z.discriminatedUnion('kind', [
  z
    .strictObject({
      ...registryBase,
      kind: z.literal('docker-registry-v2'),
      host: registryHost,
      /** `http` sends passwords and images for all to read: for a registry on the same machine. */
      protocol: z.enum(['https', 'http']).default('https'),
      /** Certificate of the authority that signed the registry's own, where Debian does not know it. */
      ca: absolute.optional(),
      /** What belongs to it besides: passwords may go there, and files come from there, be it on a network of the server. */
      'other-hosts': z.array(registryHost).max(20).default([]),
    })
    .transform(({ 'other-hosts': otherHosts, ...rest }) => ({ ...rest, otherHosts })),
  z.strictObject({ ...registryBase, kind: z.literal('docker-hub') }).transform((hub) => ({
    ...hub,
    ...{ host: HUB, protocol: 'https' as const, ca: undefined, otherHosts: [] },
  })),
]);

const registries = z
  .array(registry)
  .refine((all) => new Set(all.map(({ label }) => label)).size === all.length, {
    error: 'two registries have the same label',
  })
  // A login belongs to a host.
  .refine((all) => new Set(all.map(({ host }) => host)).size === all.length, {
    error: 'two registries have the same host',
  });

export type RegistryConfig = z.infer<typeof registry>;

/** `LOGIN`, or `@GROUP`: names as useradd(8) makes them, and those of directories, which have blanks and backslashes. */
const logins = z
  .array(
    z.string().regex(/^@?[^@:,/\p{Cc}\s-][^@:,/\p{Cc}]{0,254}$/u, {
      error: 'must be the name of a login, or @ and that of a group',
    }),
  )
  .max(1000);

/** Logins, and groups of the machine as `@GROUP`, by role. */
export interface AccessConfig {
  administrators: readonly string[];
  /** Undefined: everybody who is not named elsewhere. */
  members: readonly string[] | undefined;
  viewers: readonly string[];
}

/** Which older versions of images stay: those of either rule. */
const retention = z
  .strictObject({
    /** So many of each image. */
    'keep-versions': z.int().min(0).max(10_000).default(10),
    /** Those that were an image's newest within so many days; also of images that were removed. */
    'keep-days': z.number().min(0).max(36_500).default(7),
  })
  .prefault({})
  .transform((keys): Retention => ({ versions: keys['keep-versions'], days: keys['keep-days'] }));

export interface Retention {
  versions: number;
  days: number;
}

export interface LogsConfig {
  days: number;
  /** Bytes. */
  size: number;
  database?: PostgresPlace | undefined;
  passwordFile?: string | undefined;
}

const schema = z.strictObject({
  /** What must last: database, images, volumes, /persist folders, keys. */
  state: absolute.default('/var/lib/walt'),
  /** What ends with the machine's uptime: sockets, process records. */
  runtime: absolute.default(RUNTIME_FOLDER),
  /** What can be made again: default images as tar files. May be shared between platforms. */
  cache: absolute.default('/var/cache/walt'),
  network: z
    .strictObject({
      /** Network namespace of the platform; 12 characters at most, since names of links derive from it. */
      namespace: z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,11}$/)
        .default('walt'),
      /** Subnet of walt-net inside the namespace; the server has its first address. */
      subnet: z.cidrv4({ error: 'must be an address and bits, as 10.73.0.0/16' }).default('10.73.0.0/16'),
      /** Adapters of this machine, and VLANs on them, that join walt-net. */
      interfaces: interfaces.default([]),
      /** DHCP servers of others that may answer there, too. */
      'accept-dhcp-servers': z.array(z.ipv4()).max(16).default([]),
    })
    .prefault({})
    .transform(({ 'accept-dhcp-servers': acceptDhcpServers, ...rest }) => ({ ...rest, acceptDhcpServers })),
  /** Where images come from and go to, besides the platform itself. */
  registries: registries.prefault([{ label: 'hub', kind: 'docker-hub', description: 'Docker Hub' }]),
  images: retention,
  /** Who can switch nodes on and off, by the names that `walt node config` knows them by. */
  power: powerConfig,
  /** Who may use the platform, and as what: logins, and groups of this machine. */
  access: z
    .strictObject({
      administrators: logins.default([]),
      /** Default: everybody who has a login, and is not named elsewhere. */
      members: logins.optional(),
      viewers: logins.default([]),
    })
    .prefault({})
    .transform((lists): AccessConfig => ({ members: undefined, ...lists })),
  /** Who runs virtual nodes: the server itself, or a cluster of Slurm, on its hosts. */
  engine: z.enum(['local', 'slurm']).default('local'),
  slurm: slurmConfig.optional(),
  /** How much each may have: logins, groups of this machine, roles. */
  quotas: quotaConfig,
  firmware: z
    .strictObject({
      /** Whether the server may fetch Debian's firmware packages that are not free software, for boards that start with such files. */
      'non-free': z.boolean().default(false),
    })
    .prefault({})
    .transform((keys) => ({ nonFree: keys['non-free'] })),
  /** How long lines that nodes log stay: those of neither rule go, the oldest first. */
  logs: z
    .strictObject({
      /** Days. */
      'keep-days': z.number().min(0).max(36_500).default(90),
      /** MiB on disk. */
      size: z.int().min(16).max(16_777_216).default(10_240),
      /** A PostgreSQL database that has them instead of a file of the state folder; and the password for it, in a file of mode 600. */
      database: postgresUrl.optional(),
      'password-file': absolute.optional(),
    })
    .prefault({})
    .transform(
      (keys): LogsConfig => ({
        ...{ days: keys['keep-days'], size: keys.size * MIB },
        ...{ database: keys.database, passwordFile: keys['password-file'] },
      }),
    ),
  /** Where the host's network reads what the platform knows: for Grafana, Prometheus and the like. */
  http: z
    .strictObject({
      /** Of this machine. */
      address: z.ipv4().default('127.0.0.1'),
      /** 0: nobody listens. */
      port: z.int().min(0).max(65_535).default(0),
    })
    .prefault({}),
  limits,
});

const wholeSchema = schema
  .refine(({ engine, slurm }) => engine === 'local' || slurm !== undefined, {
    path: ['slurm'],
    error: 'engine: slurm needs slurm.address: the address of this machine at which hosts reach it',
  })
  .transform((all) => ({ ...all, slurm: withOwnConfig(all.slurm, all.state) }));

type FileConfig = z.infer<typeof schema>;

/** Names of all keys, as `limits.persist`. */
export function settingNames(): string[] {
  const namesOf = ({ properties = {} }: z.core.JSONSchema.JSONSchema, prefix = ''): string[] =>
    Object.entries(properties).flatMap(([key, inner]) =>
      typeof inner === 'object' && inner.properties ? namesOf(inner, `${prefix}${key}.`) : [prefix + key],
    );
  return namesOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
}

export interface Config extends FileConfig {
  /** File that it was read from; null when there is none and all is default. */
  file: string | null;
}

/**
 * Reads the configuration: `file`, else $WALT_CONFIG, else /etc/walt/server.conf. Only the last may be missing.
 * Throws UserError INVALID that names the file and the key.
 */
export async function loadConfig(file = process.env.WALT_CONFIG): Promise<Config> {
  const path = configFile(file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (file === undefined && hasErrno(error, 'ENOENT')) return { ...wholeSchema.parse({}), file: null };
    throw new UserError(
      'INVALID',
      `Cannot read the configuration file ${path}.`,
      'Check its path and its mode.',
    );
  }
  return readConfig(text, path);
}

/** Where the configuration is: `file`, else $WALT_CONFIG, else /etc/walt/server.conf; the last for null. */
export function configFile(file: string | null = process.env.WALT_CONFIG ?? null): string {
  return file ?? DEFAULT_CONFIG_FILE;
}

/** What the text of a configuration says. Throws UserError INVALID that names the file `path` and the key. */
export function readConfig(text: string, path: string): Config {
  let data: unknown;
  try {
    data = parse(text) ?? {};
  } catch (error) {
    throw new UserError(
      'INVALID',
      `${path} is not valid YAML: ${(error as Error).message}`,
      'Mend that line.',
    );
  }
  const result = wholeSchema.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0];
    const key = issue?.path.join('.') || '(top)';
    // What is wrong with a name that users give stands one level below.
    const reason = (issue?.code === 'invalid_key' ? issue.issues[0] : issue)?.message;
    throw new UserError('INVALID', `${path}: ${key}: ${reason}`, 'Mend that key, then start again.');
  }
  return { ...result.data, file: path };
}
