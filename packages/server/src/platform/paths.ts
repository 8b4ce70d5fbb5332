import { join } from 'node:path';
import { PROOF_FOLDER, SOCKET_NAME } from '@walt/contract';
import type { Config } from './config.ts';
import { clusterFolder } from './slurm-config.ts';

/** Where Debian's package ipxe puts its programs. */
const DEBIANS_IPXE = '/usr/lib/ipxe';
const LENT_LOADERS = 'lent-loaders';

/** Every file and folder of a platform, so that no other module builds such a path. */
export function platformPaths(config: Pick<Config, 'state' | 'runtime' | 'cache'>) {
  const state = (...parts: string[]) => join(config.state, ...parts);
  const runtime = (...parts: string[]) => join(config.runtime, ...parts);
  return {
    state: config.state,
    runtime: config.runtime,
    cache: config.cache,
    database: state('walt.db'),
    /** Lines that nodes and the platform log: a database of its own, of the program that keeps them. */
    logDatabase: state('logs.db'),
    /** Where these lines are, or were: see logs/program/places.ts. */
    logPlaces: state('log-places.json'),
    /** Room that is given up when the disk is full. */
    reserve: state('reserve'),
    /** Copies of the database: `walt-TIME.db`. */
    databaseCopies: state('database-copies'),
    /** The platform's number, which its database knows too. */
    identity: state('platform-id'),
    /** Server's journal, and what outside programs print. */
    logs: state('logs'),
    /** Unexpected ends of the server, as supervise.sh writes them. */
    crashes: state('logs', 'crashes'),
    /** SSH authorities and nodes' host keys, mode 700. */
    keys: state('keys'),
    /** Root file systems of compilers: `toolchain-ARCHITECTURE-KEY/`. */
    toolchains: state('toolchains'),
    /** Builds for other CPUs that run now, by id. */
    builds: state('builds'),
    /** Builds from a Dockerfile: each user's cache, and what runs now. */
    imageBuilds: state('image-builds'),
    /** podman's storage. */
    containers: state('containers'),
    /** One EROFS volume per layer: `sha256-HEX.erofs`. A file system of its own, which holds nothing else. */
    volumes: state('volumes'),
    /** That file system, unless the administrator has mounted another one there. */
    volumesImage: state('volumes.img'),
    /** What nodes read of a volume while they boot: `VOLUME.json`. */
    reads: state('reads'),
    /** Per image: `IMAGEHEX/{vmlinuz-CLASS,modules-CLASS,disks-CLASS,boot.json}`. */
    bootFiles: state('boot'),
    /** Boot loaders of machines: the administrator's own, those of default images, Debian's. The first that has a file counts. */
    loaders: [state('loaders'), state(LENT_LOADERS), DEBIANS_IPXE],
    lentLoaders: state(LENT_LOADERS),
    /** Static busybox for nodes whose CPU is not the server's: `ARCHITECTURE`. */
    busybox: state('busybox'),
    /** `OWNER/NODEID.img`: file systems that nodes see as /persist. */
    persist: state('persist'),
    /** Consoles of nodes, and disks of virtual ones, by node id. */
    virtual: state('virtual'),
    /** The cluster whose hosts run virtual nodes, or did. */
    slurmPlace: state('slurm.json'),
    /** Configuration and state of a cluster of our own. */
    cluster: clusterFolder(config.state),
    /** Its hosts, as `walt-server host add` made them. */
    hosts: state('hosts.json'),
    /** By which its machines know each other (munge(7)). */
    clusterKey: state('keys', 'munge.key'),
    /** Logins to registries, one file per user (containers-auth.json(5)), mode 600. */
    logins: state('keys', 'registries'),
    /** What a backup works with while it runs, and the locks of those that do. */
    backupWork: state('backup-work'),
    /** There while a backup is brought back: what it is. */
    restoring: state('restoring.json'),
    /** Configuration of dnsmasq, the NFS server, podman and skopeo. */
    services: state('services'),
    socket: runtime(SOCKET_NAME),
    /** Sticky folder in which callers prove who they are. */
    auth: runtime(PROOF_FOLDER),
    /** There while a server serves; its process number is in `server.json` beside it. */
    serving: runtime('serving'),
    /** What adapters of this machine were, that walt-net has now. */
    adapters: runtime('adapters.json'),
    /** Records of supervised programs: `NAME.json`. */
    programs: runtime('programs'),
    containersRun: runtime('containers'),
    logSocket: runtime('logs.sock'),
    /** Where the program answers that passes on requests by HTTP from the host's network. */
    webSocket: runtime('web.sock'),
    /** Where root's own programs ask the server. */
    rootSocket: runtime('root.sock'),
    podmanSocket: runtime('podman.sock'),
    /** QMP and console sockets, by node id. */
    virtualRun: runtime('virtual'),
  };
}

export type Paths = ReturnType<typeof platformPaths>;
