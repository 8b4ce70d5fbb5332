/** The part `limits` of server.conf. */
import { totalmem } from 'node:os';
import * as z from 'zod';
import type { HttpLimits } from './sockets/index.ts';

export const MIB = 1024 * 1024;

/** Bytes, whole pages: what is left keeps the server and the nodes' programs alive. */
function defaultMemory(): number {
  return Math.floor((totalmem() * 0.75) / MIB) * MIB;
}

const count = (most: number) => z.int().min(1).max(most);
const seconds = z.number().min(1).max(3600);

type Times = 'headSeconds' | 'bodySeconds' | 'idleSeconds';

function times(
  keys: Record<'head-seconds' | 'body-seconds' | 'idle-seconds', number>,
): Pick<HttpLimits, Times> {
  return {
    headSeconds: keys['head-seconds'],
    bodySeconds: keys['body-seconds'],
    idleSeconds: keys['idle-seconds'],
  };
}

/** Bounds on what users, nodes and machines can make. */
export const limits = z
  .strictObject({
    /** Physical nodes that came by themselves and that nobody uses. */
    'free-nodes': z.int().min(0).max(65_000).default(1000),
    /** Machines that asked for an address, are no nodes, and have no name of a user's choice: the oldest are forgotten. */
    'unknown-devices': z.int().min(0).max(10_000).default(1000),
    /** Largest kernel, initrd or other file that nodes load of an image, in MiB. */
    'boot-file': z.int().min(16).max(16_384).default(512),
    /** Processes, and memory in MiB, of one image shell, command or build; by default three quarters of the server's memory. */
    'container-processes': z.int().min(16).max(1_000_000).default(4096),
    'container-memory': z.int().min(64).max(16_777_216).optional(),
    /** The folder that an image is built from: MiB, and files in it. */
    'build-folder': z.int().min(1).max(16_777_216).default(32_768),
    'build-files': z.int().min(1).max(10_000_000).default(2_000_000),
    /** What `walt node save` and `verify` take of a node, in MiB. */
    'node-changes': z.int().min(1).max(16_777_216).default(32_768),
    /** Connections to the server's socket. */
    connections: count(100_000).default(1024),
    /** Connections of nodes to the server, and of each of them. */
    'node-connections': count(100_000).default(16_384),
    'connections-per-node': count(10_000).default(32),
    /** Of each user, at a time. */
    'calls-per-user': count(10_000).default(128),
    'streams-per-user': count(10_000).default(256),
    /** Files of users who prove who they are, at a time; each takes 4 KiB of memory. */
    'sign-in-files': count(1_000_000).default(4096),
    /** For the head of a request; for a body that is read as a whole; without a byte of one that is streamed, or of an answer. */
    'head-seconds': seconds.default(10),
    'body-seconds': seconds.default(60),
    'idle-seconds': seconds.default(60),
    /** The journal, and the log of each program, before it is put aside, in MiB. */
    'log-size': z.int().min(1).max(10_240).default(16),
    /** Older parts of each log that stay. */
    'log-parts': z.int().min(1).max(100).default(4),
    /** What a node's owner can store in its /persist, in MiB: its journal takes 4, and an ext4 file system ends at 16 TiB. */
    persist: z.int().min(16).max(16_777_216).default(10_240),
    /** What stays free on the disk of the state folder for the platform itself, in MiB; default: 2 % of it, at most 512. */
    'reserved-space': z.int().min(0).max(16_777_216).optional(),
  })
  .prefault({})
  .transform(
    (keys): Limits => ({
      freeNodes: keys['free-nodes'],
      unknownDevices: keys['unknown-devices'],
      bootFile: keys['boot-file'] * MIB,
      container: {
        processes: keys['container-processes'],
        memory: keys['container-memory'] === undefined ? defaultMemory() : keys['container-memory'] * MIB,
      },
      build: { bytes: keys['build-folder'] * MIB, entries: keys['build-files'] },
      nodeChanges: keys['node-changes'] * MIB,
      clients: { ...times(keys), all: keys.connections, each: keys.connections },
      machines: { ...times(keys), all: keys['node-connections'], each: keys['connections-per-node'] },
      callsPerUser: keys['calls-per-user'],
      streamsPerUser: keys['streams-per-user'],
      signInFiles: keys['sign-in-files'],
      logs: { size: keys['log-size'] * MIB, keep: keys['log-parts'] },
      persist: keys.persist * MIB,
      reservedSpace: keys['reserved-space'] === undefined ? undefined : keys['reserved-space'] * MIB,
    }),
  );

export interface ContainerLimits {
  processes: number;
  /** Bytes. */
  memory: number;
}

export interface Limits {
  freeNodes: number;
  unknownDevices: number;
  /** Bytes. */
  bootFile: number;
  /** Of one image shell, command or build. */
  container: ContainerLimits;
  /** What an image is built from. */
  build: { bytes: number; entries: number };
  /** Bytes that were changed on a node, and are taken to be told or saved. */
  nodeChanges: number;
  /** Connections to the server's socket. */
  clients: HttpLimits;
  /** Connections from walt-net. */
  machines: HttpLimits;
  callsPerUser: number;
  streamsPerUser: number;
  signInFiles: number;
  /** `size` in bytes. */
  logs: { size: number; keep: number };
  /** Bytes of a /persist. */
  persist: number;
  /** Bytes that stay free for the platform itself; undefined: a share of the disk. */
  reservedSpace: number | undefined;
}

/** Those of a configuration that says nothing of them. */
export function defaultLimits(): Limits {
  return limits.parse(undefined);
}
