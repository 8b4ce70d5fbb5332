/**
 * What the API needs from the rest of the server: one object, made by main, whose parts nodes/, images/ and access/ provide.
 * Rules about who may do what to an image live in `image-calls.ts`; rules about nodes live in nodes/.
 */
import type { Readable } from 'node:stream';
import type {
  AnySchema,
  ContractProcedure,
  ErrorMap,
  InferSchemaInput,
  InferSchemaOutput,
  Meta,
} from '@orpc/contract';
import type {
  Architecture,
  Device,
  FoundImage,
  ImageChange,
  ImageStep,
  Node,
  nodeContract,
  Progress,
  Registry,
  RegistryLink,
  ServerStatus,
} from '@walt/contract';
import type { Caller, Identity, SshAuthority, StandingRights } from '../access/index.ts';
import type {
  BuildClient,
  BuildRequest,
  Collected,
  CommandRun,
  Expected,
  ImageBuildClient,
  ImageBuildOrder,
  ImageRecord,
  LayerRecord,
  SessionChanges,
  SessionRecord,
  Terminal,
  TerminalSize,
  VersionChoice,
} from '../images/index.ts';
import type { Log, Retention } from '../platform/index.ts';

export type {
  BuildClient,
  CommandRun,
  Expected,
  ImageBuildClient,
  ImageRecord,
  SessionChanges,
  SessionRecord,
  Terminal,
  TerminalSize,
};

/** The methods of one part of the contract: validated input, output before validation; throw UserError for what users can mend. */
export type CallsOf<Contract> = {
  [Name in keyof Contract]: Contract[Name] extends ContractProcedure<
    infer Input extends AnySchema,
    infer Output extends AnySchema,
    ErrorMap,
    Meta
  >
    ? (
        caller: Caller,
        input: InferSchemaOutput<Input>,
        /** Aborted when the client is gone or no longer interested. */
        signal: AbortSignal,
      ) => Promise<InferSchemaInput<Output>>
    : CallsOf<Contract[Name]>;
};

/** All calls of nodes, with their rules of ownership, and what other parts ask about nodes. */
export interface NodeService extends CallsOf<typeof nodeContract> {
  /** One node, for the relays. Throws NOT_FOUND, with near names in the hint. */
  find(name: string): Promise<NodeEndpoint>;
  /** Whose that very node is now, whatever it is called by now. Throws NOT_FOUND when it was removed. */
  tenants(id: number): Promise<Pick<NodeEndpoint, 'name' | 'owner' | 'bootOwner'>>;
  /** Names of the nodes that boot each image, by `owner/name`, sorted; images that no node boots are absent. */
  nodesByImage(): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Names of the nodes that boot image `owner/name` and do not run `digest`, sorted. */
  outdated(image: string, digest: string): Promise<readonly string[]>;
  /** Unix socket and log file of a virtual node's serial port. Throws UNAVAILABLE when it has none or is off. */
  console(id: number): Promise<{ socket: string; log: string }>;
}

export interface NodeEndpoint extends Pick<Node, 'name' | 'ip' | 'owner' | 'state' | 'type'> {
  /** Permanent, never used again: names its keys and folders. */
  id: number;
  /** Whose boot runs, from its /persist on: not yet the owner's until the node has rebooted for him. Null: nobody's. */
  bootOwner: string | null;
}

/** A name in somebody's set, whether or not it exists. */
export interface ImageTarget {
  owner: string;
  name: string;
}

/** Images by name. Does not ask who may: `user`, the one who calls, is for the history. */
export interface ImageService {
  /** Sorted by owner and name. */
  list(owner?: string): Promise<ImageRecord[]>;
  /** Throws NOT_FOUND, with near names in the hint. */
  get(owner: string, name: string): Promise<ImageRecord>;
  find(owner: string, name: string): Promise<ImageRecord | undefined>;
  /** Points `target` to the same digest. Throws CONFLICT when that name exists and `replace` is false. */
  duplicate(user: string, image: ImageRecord, target: ImageTarget, replace: boolean): Promise<ImageRecord>;
  /** Nodes and sessions follow. Throws CONFLICT when the new name exists. */
  rename(user: string, image: ImageRecord, newName: string): Promise<ImageRecord>;
  remove(user: string, image: ImageRecord): Promise<void>;
  /** `made` is false when it was there already. */
  makeDefault(
    user: string,
    architecture: Architecture | undefined,
    renew: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; made: boolean }>;
  /** Tar of `path` in the image. Throws NOT_FOUND. */
  readFiles(image: ImageRecord, path: string): Promise<Readable>;
  /** What is at `path`, links followed; undefined: nothing. */
  kindOfFile(image: ImageRecord, path: string): Promise<'file' | 'folder' | 'other' | undefined>;
  /** Unpacks a tar in folder `path` and commits it as a new layer. Nothing changes when the tar breaks off. */
  writeFiles(user: string, image: ImageRecord, path: string, tar: Readable): Promise<ImageRecord>;
  /** `changed` is false when it had one layer already. Throws CONFLICT unless `target` points to what is expected until then. */
  squash(
    user: string,
    image: ImageRecord,
    target: ImageTarget,
    expected: Expected,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; changed: boolean }>;
  /** Starts a command in the image; nothing of it stays unless it is saved. Throws UNAVAILABLE when it cannot be run here. */
  run(user: string, image: ImageRecord, command: readonly string[]): Promise<CommandRun>;
  readonly history: HistoryService;
  readonly shells: ShellService;
  readonly cross: CrossService;
  readonly builds: ImageBuildService;
  readonly registries: RegistryService;
}

/** Versions of images. All but `log` throw NOT_FOUND for a version that never was or is no longer kept. */
export interface HistoryService {
  /** Newest first; empty when that name never was. */
  log(image: ImageTarget): Promise<ImageStep[]>;
  version(image: ImageTarget, choice: VersionChoice): Promise<ImageRecord>;
  /** The version before this one. */
  before(image: ImageRecord): Promise<ImageRecord>;
  diff(
    from: ImageRecord,
    to: ImageRecord,
    options: { paths: readonly string[]; contents: boolean; signal?: AbortSignal },
  ): AsyncGenerator<Progress, ImageChange[]>;
  /** Throws CONFLICT when the name moves meanwhile. */
  undo(
    user: string,
    image: ImageTarget,
  ): Promise<{ image: ImageRecord; previous: string | null; undone: ImageStep }>;
  /** What `prune` would remove now. */
  needless(giveUp?: ImageTarget): Promise<Collected>;
  /** Removes what nobody needs, and all older versions of `giveUp`. */
  prune(giveUp?: ImageTarget): AsyncGenerator<Progress, Collected>;
  /** Top first. */
  layers(image: ImageRecord): Promise<(LayerRecord & { shared: boolean })[]>;
  readonly retention: Retention;
}

/** Registries of server.conf. `user` is the one who calls: it is his login that counts. */
export interface RegistryService {
  list(user: string): Promise<Registry[]>;
  /** Throws UserError when the registry does not accept the password. */
  login(user: string, label: string, username: string, password: string): Promise<void>;
  /** Answers the name under which `user` was logged in, or undefined. */
  logout(user: string, label: string): Promise<string | undefined>;
  /** Images of all registries whose name contains `keyword`, and the registries that could not be asked. */
  search(
    user: string,
    keyword: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<
    Progress,
    { found: FoundImage[]; failed: { registry: string; reason: string; hint: string }[] }
  >;
  /** Throws CONFLICT when `target` exists and `force` is false. `source` is the link that names this very image. */
  clone(
    user: string,
    link: RegistryLink,
    /** Without a name, it is called as the image wishes, else as `fallback` says. */
    target: ImageTarget | { owner: string; fallback: () => string },
    options: { force: boolean; architecture: Architecture | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { image: ImageRecord; source: string }>;
  /** Points `target` to another user's image. Throws CONFLICT as `clone`. */
  take(user: string, image: ImageRecord, target: ImageTarget, force: boolean): Promise<ImageRecord>;
  /** Answers the digest of the manifest there. Throws CONFIRM when the name is another image's and `replace` is false. */
  publish(
    user: string,
    image: ImageRecord,
    to: { label: string; repository: string; tag: string; replace: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Progress, string>;
}

export interface ShellService {
  /** All sessions that run or wait to be saved. */
  list(): Promise<SessionRecord[]>;
  /** `owner/name` of the images with a session. */
  images(): Promise<ReadonlySet<string>>;
  /** Throws NOT_FOUND. */
  get(id: string): Promise<SessionRecord>;
  /** Throws CONFLICT when a session on that image is open or waits. */
  open(user: string, image: ImageRecord): Promise<SessionRecord>;
  changes(id: string): Promise<SessionChanges>;
  /**
   * Commits as `owner/name`, and the session is over; `replaced` is what that name points to until then (default: whatever), unless
   * it is the session's own image. Throws CONFLICT when the name was moved meanwhile.
   */
  save(
    user: string,
    id: string,
    target: ImageTarget,
    replaced?: Expected,
  ): AsyncGenerator<Progress, { image: ImageRecord; changed: boolean }>;
  discard(id: string): Promise<void>;
  /** Joins the session's terminal. Throws CONFLICT when somebody is attached, UNAVAILABLE when its shell has ended. */
  attach(id: string, size: TerminalSize): Promise<Terminal>;
}

/** Builds for an image's CPU by a compiler of the server's own. */
export interface CrossService {
  /** Throws INVALID when the folders cannot be where they are wanted, CONFLICT when the name to save under is taken. */
  prepare(
    request: BuildRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Progress, { ticket: string; ownLibrary: boolean }>;
  /** Answers the command's exit status. Throws NOT_FOUND for a ticket that is not the user's, or old. */
  run(user: string, ticket: string, client: BuildClient): Promise<number>;
}

/** Builds of images from a Dockerfile. */
export interface ImageBuildService {
  /** Answers a ticket. Throws INVALID when the Dockerfile cannot be built; the message names the line. */
  prepare(order: ImageBuildOrder): Promise<string>;
  /** Throws NOT_FOUND for a ticket that is not the user's, or old; EXTERNAL that names the line when a step fails. */
  run(user: string, ticket: string, client: ImageBuildClient): Promise<void>;
}

export interface Services {
  identity: Identity;
  ssh: SshAuthority;
  rights: StandingRights;
  nodes: NodeService;
  images: ImageService;
  /** Switches and the like, later; for now what walt-net knows. */
  devices(): Promise<Device[]>;
  status(): Promise<Omit<ServerStatus, 'user'>>;
  log: Log;
}
