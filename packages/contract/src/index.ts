/** The one contract between the server and its clients: calls, streams, names, errors. Imports nothing of ours. */
import type { ContractRouterClient } from '@orpc/contract';
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { deviceContract } from './device.ts';
import { errors } from './errors.ts';
import { imageContract } from './image.ts';
import { logContract } from './log.ts';
import { nodeContract } from './node.ts';
import { registryContract } from './registry.ts';
import { ipv4, nodeName, userName } from './schemas.ts';
import { spaceCalls } from './space.ts';
import {
  HOST_KEY_ALIAS,
  KNOWN_HOSTS,
  MAX_PRINCIPALS,
  PROOF_FILE,
  PROOF_NONCE,
  USER_CERTIFICATE,
} from './values/index.ts';

export * from './build.ts';
export * from './cross.ts';
export * from './device.ts';
export * from './errors.ts';
export * from './image.ts';
export * from './image-history.ts';
export * from './jobs.ts';
export * from './log.ts';
export * from './node.ts';
export * from './node-changes.ts';
export * from './node-history.ts';
export * from './notes.ts';
export * from './progress.ts';
export * from './registry.ts';
export * from './run.ts';
export * from './saved.ts';
export * from './schemas.ts';
export * from './space.ts';
export * from './streams.ts';
export * from './values/index.ts';

const base = oc.errors(errors);

export const serverStatus = z.object({
  version: z.string(),
  /** Seconds since this server process started. */
  uptime: z.number(),
  user: userName,
  /** What `access` of server.conf makes of him; absent: the server is older. */
  role: z.enum(['viewer', 'member', 'administrator']).optional(),
  configFile: z.string().nullable(),
  stateFolder: z.string(),
  namespace: z.string(),
  network: z.object({ subnet: z.string(), server: ipv4 }),
  accelerator: z.enum(['kvm', 'tcg']),
  /** Why virtual nodes can send frames in the name of others; null: they cannot. */
  unguarded: z.string().nullable(),
  /** Adapters of the server's machine that walt-net should have. */
  adapters: z.array(
    z.object({
      name: z.string(),
      /** `no-link`: nothing that is on is at the other end of its cable; `refused`: it stays with the machine. */
      state: z.enum(['joined', 'no-link', 'missing', 'refused']),
      /** Unix time in seconds. */
      since: z.number(),
      reason: z.string().nullable(),
    }),
  ),
  /** DHCP servers behind these adapters that are not WalT's, and answered within the last hour. */
  dhcpServers: z.array(
    z.object({
      address: ipv4,
      /** Behind which adapter; null: unknown. */
      link: z.string().nullable(),
      /** The configuration accepts it. */
      accepted: z.boolean(),
      /** Unix time in seconds. */
      lastSeen: z.number(),
    }),
  ),
  /** Resident bytes of the server process. */
  memory: z.number(),
  /** Open files of the server process, connections included, and how many it may have. */
  files: z.object({ open: z.number(), limit: z.number() }),
  /** False: nothing starts the server again when it ends. */
  supervised: z.boolean(),
  /** Unexpected ends of the server in the last 24 hours, and the last of them. */
  crashes: z.object({
    count: z.number(),
    /** `at`: Unix time in seconds. `reason`: the server's first words on it. */
    last: z.object({ at: z.number(), reason: z.string() }).nullable(),
  }),
  /** Since when lines of logs cannot be stored, if that is known, as Unix time in seconds, and why. Null: they can. */
  logsOutage: z.object({ since: z.number().nullable(), reason: z.string() }).nullable(),
  programs: z.array(
    z.object({
      name: z.string(),
      pid: z.number().nullable(),
      state: z.enum(['running', 'starting', 'stopped', 'failed']),
      /** How often it had to be started again because it failed, since the start of the server. */
      restarts: z.number(),
    }),
  ),
});
export type ServerStatus = z.infer<typeof serverStatus>;

export const contract = {
  /**
   * Who the caller is, proven by the operating system: `challenge` names a file; the caller creates it (mode 600) with `nonce` as
   * its content, in the sticky folder `auth` beside the socket that he asked; `prove` looks at its owner and answers a token.
   * No path is told: whoever passes on another server's challenge gets a file in his own folder, which proves nothing there.
   */
  auth: {
    challenge: base.output(
      z.object({ file: z.string().regex(PROOF_FILE), nonce: z.string().regex(PROOF_NONCE) }),
    ),
    prove: base
      .input(z.object({ nonce: z.string() }))
      .output(z.object({ token: z.string(), user: userName, expires: z.number() })),
  },
  server: { status: base.output(serverStatus), ...spaceCalls },
  node: nodeContract,
  image: imageContract,
  registry: registryContract,
  device: deviceContract,
  log: logContract,
  access: {
    /** Signs an OpenSSH public key for some nodes, as root, for minutes. */
    certify: base
      .input(
        z.object({ publicKey: z.string().max(16_384), nodes: z.array(nodeName).min(1).max(MAX_PRINCIPALS) }),
      )
      .output(
        z.object({
          /** One line, as in `id_ed25519-cert.pub`. */
          certificate: z.string().regex(USER_CERTIFICATE),
          /** Unix time in seconds. */
          expires: z.number(),
          /** Lines for a known_hosts file: the authority that signs all nodes' host keys. */
          knownHosts: z.string().regex(KNOWN_HOSTS),
          /** Per node, the name under which its host key is signed as long as its owner has it (ssh's HostKeyAlias). */
          hostKeyAliases: z.record(nodeName, z.string().regex(HOST_KEY_ALIAS)),
        }),
      ),
  },
};

export type Client = ContractRouterClient<typeof contract>;
