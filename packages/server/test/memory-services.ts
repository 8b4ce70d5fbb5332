/** Nodes and images in memory, as far as the API's tests need them. */
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type Duplex, duplexPair, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ImageStep, nodeContract, Progress, Registry, RegistryLink } from '@walt/contract';
import type { CallsOf } from '../src/access/index.ts';
import type {
  ImageName,
  ImageRecord,
  Images,
  SessionRecord,
  Terminal,
  TerminalSize,
} from '../src/images/index.ts';
import type { NodeEndpoint, NodeLookup } from '../src/nodes/index.ts';
import { UserError } from '../src/platform/index.ts';
import { MemoryBuilds, MemoryImageBuilds } from './memory-builds.ts';

type NodeCalls = CallsOf<typeof nodeContract>;
type ImageHistory = Images['history'];
type Registries = Images['registries'];
type ShellSessions = Images['shells'];

async function unused(): Promise<never> {
  throw new Error('not part of these tests');
}

export class MemoryNodes
  implements NodeCalls, Pick<NodeLookup, 'find' | 'tenants' | 'console' | 'nodesByImage' | 'outdated'>
{
  readonly endpoints = new Map<string, NodeEndpoint>();
  readonly consoles = new Map<number, { socket: string; log: string }>();
  /** Node names by `owner/name` of the image. */
  booting = new Map<string, string[]>();
  list: NodeCalls['list'] = async () => [];
  wait: NodeCalls['wait'] = unused;
  ping: NodeCalls['ping'] = unused;
  create: NodeCalls['create'] = unused;
  remove = unused;
  boot = unused;
  reboot = unused;
  acquire = unused;
  release = unused;
  rename = unused;

  add(name: string, node: Partial<NodeEndpoint> = {}): NodeEndpoint {
    const id = this.endpoints.size + 1;
    const full = {
      id,
      name,
      ip: '127.0.0.1',
      owner: null,
      bootOwner: null,
      state: 'booted',
      type: 'virtual',
      ...node,
    } as const;
    this.endpoints.set(name, full);
    return full;
  }

  async find(name: string): Promise<NodeEndpoint> {
    const node = this.endpoints.get(name);
    if (!node) throw new UserError('NOT_FOUND', `There is no node ${name}.`, 'See walt node show --all.');
    return node;
  }

  async tenants(id: number): Promise<NodeEndpoint> {
    const node = [...this.endpoints.values()].find((one) => one.id === id);
    if (!node) throw new UserError('NOT_FOUND', 'This node was removed.', 'See walt node show --all.');
    return node;
  }

  nodesByImage = async () => this.booting;
  outdated = async (image: string) => this.booting.get(image) ?? [];

  async console(id: number) {
    const found = this.consoles.get(id);
    if (!found)
      throw new UserError('UNAVAILABLE', 'This node has no console.', 'Only virtual nodes have one.');
    return found;
  }
}

export class MemoryImages
  implements
    Pick<
      Images,
      | 'list'
      | 'find'
      | 'get'
      | 'duplicate'
      | 'rename'
      | 'remove'
      | 'makeDefault'
      | 'run'
      | 'squash'
      | 'readFiles'
      | 'kindOfFile'
      | 'writeFiles'
    >
{
  readonly records: ImageRecord[] = [];
  readonly history = new MemoryHistory(this);
  readonly shells = new MemoryShells(this);
  readonly registries = new MemoryRegistries(this);
  readonly cross = new MemoryBuilds();
  readonly builds = new MemoryImageBuilds(this);
  /** What was written, by full name. */
  readonly written = new Map<string, Buffer>();
  failWrites = false;

  add(owner: string, name: string): ImageRecord {
    const digest = `sha256:${createHash('sha256').update(`${owner}/${name}`).digest('hex')}`;
    const record: ImageRecord = {
      owner,
      name,
      digest,
      architecture: 'amd64',
      created: 1,
      size: 1,
      layers: ['sha256:1', 'sha256:2'],
      kernel: '6.1.0',
      bootPlan: 'volumes',
      models: ['pc-x86-64'],
      lends: [],
    };
    this.records.push(record);
    return record;
  }

  list = async (owner?: string) =>
    this.records.filter((image) => owner === undefined || image.owner === owner);

  async find(owner: string, name: string): Promise<ImageRecord | undefined> {
    return this.records.find((image) => image.owner === owner && image.name === name);
  }

  async get(owner: string, name: string): Promise<ImageRecord> {
    const found = await this.find(owner, name);
    if (!found)
      throw new UserError('NOT_FOUND', `There is no image ${owner}/${name}.`, 'See walt image show --all.');
    return found;
  }

  async duplicate(_user: string, image: ImageRecord, target: ImageName): Promise<ImageRecord> {
    const copy = { ...image, ...target };
    this.records.push(copy);
    return copy;
  }

  async rename(_user: string, image: ImageRecord, name: string): Promise<ImageRecord> {
    image.name = name;
    return image;
  }

  async remove(_user: string, image: ImageRecord): Promise<void> {
    this.records.splice(this.records.indexOf(image), 1);
  }

  async *makeDefault(): AsyncGenerator<Progress, { image: ImageRecord; made: boolean }> {
    yield { type: 'progress', step: 'Unpacking packages', done: 1, total: 2, unit: 'percent' };
    return { image: this.add('waltplatform', 'pc-x86-64-default'), made: true };
  }

  /** A test that wants one plays it. */
  run: Images['run'] = unused;

  async *squash(
    _user: string,
    image: ImageRecord,
    target: ImageName,
  ): AsyncGenerator<Progress, { image: ImageRecord; changed: boolean }> {
    yield { type: 'progress', step: 'Reading the image' };
    return { image: { ...image, ...target, layers: ['sha256:3'] }, changed: true };
  }

  async readFiles(image: ImageRecord, path: string): Promise<Readable> {
    if (path === '/missing')
      throw new UserError('NOT_FOUND', `There is no ${path} in ${image.name}.`, 'Look.');
    return Readable.from([Buffer.from(`tar of ${path}`)]);
  }

  async kindOfFile(_image: ImageRecord, path: string) {
    return path === '/missing' ? undefined : ('folder' as const);
  }

  async writeFiles(_user: string, image: ImageRecord, path: string, tar: Readable): Promise<ImageRecord> {
    if (this.failWrites) {
      tar.destroy();
      throw new UserError('UNAVAILABLE', 'The disk is full.', 'Remove something.');
    }
    this.written.set(`${image.owner}/${image.name}${path}`, await buffer(tar));
    return image;
  }
}

/** Each image has one older version, which undo goes back to. */
class MemoryHistory
  implements
    Pick<
      ImageHistory,
      'log' | 'version' | 'before' | 'diff' | 'undo' | 'needless' | 'prune' | 'layers' | 'retention'
    >
{
  readonly retention = { versions: 10, days: 7 };
  readonly #images: MemoryImages;
  /** What made the newest version. */
  action = 'shell';
  /** Paths that were asked for. */
  compared: readonly string[] = [];

  constructor(images: MemoryImages) {
    this.#images = images;
  }

  log = async ({ owner, name }: ImageName): Promise<ImageStep[]> => {
    const record = await this.#images.find(owner, name);
    if (!record) return [];
    const step = { at: 1, user: owner, action: this.action, detail: '', added: 1, kept: true };
    return [
      { ...step, version: 0, digest: record.digest },
      { ...step, version: 1, digest: older(record).digest },
    ];
  };

  version: ImageHistory['version'] = async ({ owner, name }, choice) => {
    const record = await this.#images.get(owner, name);
    const versions = [record, older(record)];
    const found =
      'back' in choice
        ? versions[choice.back]
        : versions.find(({ digest }) => digest.startsWith(choice.digest));
    if (!found) throw new UserError('NOT_FOUND', 'There is no such version.', 'Look.');
    return found;
  };

  before = async (image: ImageRecord) => this.version(image, { back: 1 });

  diff: ImageHistory['diff'] = (from, to, { paths, contents }) => {
    this.compared = paths;
    return (async function* () {
      yield { type: 'progress', step: 'Comparing' };
      const path = `/${from.digest.slice(7, 11)}-${to.digest.slice(7, 11)}`;
      const lines = contents ? { added: 1, removed: 1 } : null;
      return [{ kind: 'M', path, type: 'file', before: 1, after: 2, lines, patch: null }];
    })();
  };

  undo: ImageHistory['undo'] = async (_user, { owner, name }) => {
    const record = await this.#images.get(owner, name);
    const [undone] = await this.log(record);
    if (!undone) throw new Error('no step');
    return { image: older(record), previous: record.digest, undone };
  };

  needless: ImageHistory['needless'] = async (giveUp) => {
    const gone = { digest: `sha256:${'d'.repeat(64)}`, image: 'alice/exp', left: 1, size: 3 };
    return { removed: giveUp ? [gone, gone] : [gone], size: giveUp ? 4_000_003 : 3 };
  };

  prune: ImageHistory['prune'] = async function* (this: MemoryHistory, giveUp) {
    yield { type: 'progress', step: 'Removing' };
    return this.needless(giveUp);
  };

  layers: ImageHistory['layers'] = async ({ layers, owner }) =>
    layers.map((_, index) => ({
      ...{ diffId: `sha256:${String(index).repeat(64)}`, size: 10, volume: 1, shared: index > 0 },
      made: index > 0 ? null : { action: 'shell', user: owner, at: 1, detail: '' },
    }));
}

function older(record: ImageRecord): ImageRecord {
  return { ...record, digest: `sha256:${'0'.repeat(64)}` };
}

class MemoryShells
  implements
    Pick<ShellSessions, 'list' | 'images' | 'get' | 'open' | 'changes' | 'save' | 'discard' | 'attach'>
{
  readonly sessions = new Map<string, SessionRecord>();
  readonly sizes: TerminalSize[] = [];
  /** The shell's side of the terminal, of each attachment. */
  readonly attached: { shell: Duplex; exit: (status: number) => void; detached: Promise<unknown> }[] = [];
  readonly #images: MemoryImages;
  readonly #arrivals = new EventEmitter();
  #awaited = 0;

  constructor(images: MemoryImages) {
    this.#images = images;
  }

  list = async () => [...this.sessions.values()];

  images = async () => new Set([...this.sessions.values()].map(({ image }) => image));

  async get(id: string): Promise<SessionRecord> {
    const found = this.sessions.get(id);
    if (!found) throw new UserError('NOT_FOUND', `There is no session ${id}.`, 'Open one.');
    return found;
  }

  async open(user: string, { owner, name, architecture }: ImageRecord): Promise<SessionRecord> {
    const id = (this.sessions.size + 1).toString(16).padStart(16, '0');
    const session: SessionRecord = {
      ...{ id, user, image: `${owner}/${name}`, architecture },
      ...{ emulated: false, init: false, state: 'running', attached: false, opened: 1 },
    };
    this.sessions.set(id, session);
    return session;
  }

  /** Resolves when the next client attaches, or at once when one has that was not waited for. */
  async attachment(): Promise<void> {
    while (this.attached.length === this.#awaited) await once(this.#arrivals, 'attached');
    this.#awaited++;
  }

  changes = async () => ({
    ...{ added: 1, modified: 0, deleted: 0, sample: ['A /root/x'] },
    ...{ lost: [], note: null, refusal: null },
  });

  async *save(user: string, id: string, { owner, name }: ImageName) {
    yield { type: 'progress', step: `Saving for ${user}` } as const;
    this.sessions.delete(id);
    return {
      image: await this.#images.get(owner, name).catch(() => this.#images.add(owner, name)),
      changed: true,
    };
  }

  async discard(id: string): Promise<void> {
    this.sessions.delete(id);
  }

  async attach(_id: string, size: TerminalSize): Promise<Terminal> {
    this.sizes.push(size);
    const [stream, shell] = duplexPair();
    const { promise: exited, resolve } = Promise.withResolvers<number>();
    const detached = once(stream, 'close');
    const exit = (status: number) => {
      shell.end();
      resolve(status);
    };
    this.attached.push({ shell, exit, detached });
    this.#arrivals.emit('attached');
    return { stream, exited, resize: async (to) => void this.sizes.push(to) };
  }
}

export class MemoryRegistries
  implements Pick<Registries, 'list' | 'login' | 'logout' | 'search' | 'clone' | 'take' | 'publish'>
{
  readonly known: Registry[] = [];
  readonly #images: MemoryImages;

  constructor(images: MemoryImages) {
    this.#images = images;
  }

  add(label: string, registry: Partial<Registry> = {}): void {
    this.known.push({
      ...{ label, kind: 'docker-registry-v2', host: `${label}.example`, protocol: 'https', description: '' },
      ...{ username: null, ...registry },
    });
  }

  list = async () => this.known;
  logout = async () => undefined;

  async login(_user: string, label: string, username: string): Promise<void> {
    const registry = this.known.find((one) => one.label === label);
    if (registry) registry.username = username;
  }

  search: Registries['search'] = async function* () {
    yield { type: 'progress', step: 'asking' };
    return { found: [], failed: [{ registry: 'lab', reason: 'It is down.', hint: 'Wait.' }] };
  };

  async *clone(
    _user: string,
    link: RegistryLink,
    target: ImageName | { owner: string; fallback: () => string },
  ) {
    yield { type: 'progress' as const, step: 'fetching' };
    const image = this.#images.add(target.owner, 'name' in target ? target.name : target.fallback());
    return { image, source: `${link.label}:${link.repository}@${image.digest}` };
  }

  take: Registries['take'] = async (user, image, target) => this.#images.duplicate(user, image, target);

  publish: Registries['publish'] = async function* (_user, image) {
    yield { type: 'progress', step: 'copying' };
    return image.digest;
  };
}
