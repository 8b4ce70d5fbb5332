import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Architecture, Progress } from '@walt/contract';
import { ExternalError, type Limits, type Paths, readIfPresent, UserError } from '../../platform/index.ts';
import { runsNatively, serverArchitecture } from '../architectures.ts';
import type { Expected, ImageName } from '../catalogue-rows.ts';
import { explainDiskFull, isDiskFull } from '../disk-full.ts';
import { pointOrKeep } from '../save-change.ts';
import type { Skopeo } from '../skopeo.ts';
import { imageId, type Store } from '../store.ts';
import type { DigestRecord, HostCommand, ImageRecord } from '../types.ts';
import { type Base, type BaseDeps, findBase } from './bases.ts';
import { buildCommand, environment, FILES, groupName, writeRuntime } from './buildah.ts';
import { ComplaintFilter, explainStep } from './complaints.ts';
import { type Confined, INSIDE, RESOLVER, startConfined } from './confined.ts';
import { unpackContext } from './context.ts';
import { ControlGroup, removeControlGroup } from './control-group.ts';
import { type Instruction, lineError, shownText } from './dockerfile.ts';
import { type BuildPlan, finalOrigin, type Needed, neededImages } from './plan.ts';
import { isRepeatable, noteResult, readResult, resultKey } from './results.ts';
import { checkTriggers } from './rules.ts';
import { StepWatcher } from './steps.ts';
import { type Configuration, readConfiguration, writeView } from './view.ts';
import { writeDockerfile } from './write.ts';

export interface ImageBuildDeps extends BaseDeps {
  paths: Paths;
  limits: Pick<Limits, 'container' | 'build'>;
  host: HostCommand;
  store: Store;
  skopeo: Skopeo;
  /** Makes binaries of an architecture run here. */
  emulate(architecture: Architecture): Promise<void>;
}

export interface ImageBuildRequest {
  user: string;
  target: ImageName;
  /** What `target` points to when the build begins. */
  expected: Expected;
  plan: BuildPlan;
  args: Readonly<Record<string, string>>;
  /** For images that are made from nothing or have several architectures; undefined: the server's. */
  architecture: Architecture | undefined;
  cache: boolean;
  /** For the history. */
  source: string;
}

/** Who asked for the build: gives its folder, and takes what comes of it. */
export interface ImageBuildClient {
  /** Asks for the tar of the user's folder. */
  sources(): Readable;
  /** Takes what the build prints; resolves at its end. */
  output(to: 'stdout' | 'stderr', stream: Readable): Promise<void>;
  progress(progress: Progress): void;
  saved(image: ImageRecord, changed: boolean): Promise<void>;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
}

/** A user's folder for one architecture: `scratch` images of several look alike to buildah's cache. */
export interface BuildPlaces {
  store: string;
  cache: string;
  results: string;
  /** Of this build. */
  work: string;
  id: string;
}

export function buildPlaces(paths: Paths, user: string, architecture: Architecture): BuildPlaces {
  const id = randomBytes(8).toString('hex');
  const own = join(paths.imageBuilds, user, architecture);
  return {
    store: join(own, 'store'),
    cache: join(own, 'cache'),
    results: join(own, 'results'),
    work: join(own, `work-${id}`),
    id,
  };
}

/** An image that the Dockerfile names, held while the build runs. */
interface Found extends Base {
  configuration: Configuration;
}

type Bases = Map<Needed, Found>;

/** Runs one build to its end, whatever that is: nothing is left of it then but the image and the user's cache. Throws UserError. */
export async function runImageBuild(
  deps: ImageBuildDeps,
  request: ImageBuildRequest,
  places: BuildPlaces,
  client: ImageBuildClient,
): Promise<void> {
  const { paths } = deps;
  const bases: Bases = new Map();
  try {
    await explainDiskFull(paths.state, 'No image was changed.', async () => {
      await findBases(deps, request, client, bases);
      client.signal.throwIfAborted();
      await mkdir(join(places.work, FILES.context), { recursive: true, mode: 0o700 });
      const folder = join(places.work, FILES.context);
      const context = await unpackContext(client.sources(), folder, deps.limits.build);
      if (context.listed !== undefined) await client.output('stderr', Readable.from([lists(context.listed)]));
      const dockerfile = writeDockerfile(request.plan, {
        args: request.args,
        idOf: (needed) => imageId(bases.get(needed)?.record.digest ?? ''),
        environmentOf: (needed) => bases.get(needed)?.configuration.environment ?? new Map(),
      });
      const triggers = [...bases.values()].flatMap(({ configuration }) => configuration.triggers);
      const key = resultKey({ dockerfile, args: request.args, context: context.hash });
      const repeatable = isRepeatable(request.plan, triggers);
      const known = repeatable && request.cache ? await knownResult(deps, places, key) : undefined;
      if (known) await client.output('stdout', Readable.from([Buffer.from(UNCHANGED)]));
      const digest = known?.digest ?? (await build(deps, request, places, client, bases, dockerfile));
      await publish(deps, request, places, client, [...bases.values()], digest);
      if (repeatable && !known) await noteResult(places.results, key, digest);
    });
  } finally {
    for (const base of bases.values()) base.release();
    await removeControlGroup(groupName(places.id));
    await rm(places.work, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Architecture of what will come out, as far as it is known before images of registries are. */
export function targetArchitecture({ architecture }: Pick<ImageBuildRequest, 'architecture'>): Architecture {
  return architecture ?? serverArchitecture();
}

function lists(example: string): Buffer {
  return Buffer.from(
    `Access lists, such as that of ${example}, do not get into images by a build; owner, group and others keep their rights.\n`,
  );
}

const UNCHANGED = 'Nothing has changed since it was built: no step is run.\n';

async function knownResult(
  { catalogue }: ImageBuildDeps,
  { results }: BuildPlaces,
  key: string,
): Promise<DigestRecord | undefined> {
  const digest = await readResult(results, key);
  return digest === undefined ? undefined : catalogue.digest(digest);
}

async function findBases(
  deps: ImageBuildDeps,
  { user, plan }: ImageBuildRequest,
  client: ImageBuildClient,
  bases: Bases,
): Promise<void> {
  const report = (step: string, amount = {}) => client.progress({ type: 'progress', step, ...amount });
  for (const needed of neededImages(plan)) {
    const base = await findBase(deps, needed, { user, file: plan.file, report, signal: client.signal });
    const unread = { diffIds: [], triggers: [], environment: new Map() };
    const found: Found = { ...base, configuration: unread };
    bases.set(needed, found);
    const { digest, architecture } = base.record;
    if (!runsNatively(architecture, serverArchitecture())) await deps.emulate(architecture);
    found.configuration = await readConfiguration(deps.paths.containers, digest);
    checkTriggers(found.configuration.triggers, needed.text, needed.line, plan.file);
  }
}

/** Answers the digest of what it made, in the user's own store. */
async function build(
  deps: ImageBuildDeps,
  request: ImageBuildRequest,
  places: BuildPlaces,
  client: ImageBuildClient,
  bases: Bases,
  dockerfile: string,
): Promise<string> {
  const { paths, host, store: main } = deps;
  const { plan, args, cache } = request;
  const { store, work, id } = places;
  await prepare(deps, places, [...bases.values()], dockerfile);
  const folders = {
    store,
    work,
    cache: places.cache,
    overlay: main.layerFolder,
    hidden: [paths.state, paths.runtime],
  } as const;
  const architecture = finalOrigin(plan) ? undefined : targetArchitecture(request);
  const command = buildCommand({ id, args, cache, architecture });
  const names = new Map([...bases].map(([{ text }, { record }]) => [imageId(record.digest), text]));
  const group = await ControlGroup.make(groupName(id), deps.limits.container);
  await writeRuntime(work, group.commandEvents);
  const confined = await startConfined(host, folders, command, environment(), group);
  const { status, step, complaint } = await follow(confined, client, new StepWatcher(plan, names));
  client.signal.throwIfAborted();
  const limit =
    status === 0 ? undefined : await group.reached((await readIfPresent(join(work, FILES.events))) ?? '');
  if (status !== 0) throw failure(command, status, step, complaint, request, limit);
  return (await readFile(join(work, FILES.result), 'utf8')).trim();
}

async function prepare(
  { paths, store: main }: ImageBuildDeps,
  { store, cache, work }: BuildPlaces,
  bases: readonly Base[],
  dockerfile: string,
): Promise<void> {
  for (const folder of [store, cache, join(work, 'tmp', 'buildah-cache')]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  // When it was last of use.
  await utimes(store, new Date(), new Date());
  const digests = bases.map(({ record }) => record.digest);
  const places = { own: store, view: join(work, 'images'), mounted: INSIDE.layers };
  await writeView(paths.containers, digests, places);
  await writeFile(join(work, FILES.dockerfile), dockerfile);
  await writeFile(join(work, 'resolv.conf'), `nameserver ${RESOLVER}\n`);
  await copyFile(main.configFile, join(work, FILES.config));
}

async function follow(confined: Confined, client: ImageBuildClient, watcher: StepWatcher) {
  const kill = () => confined.kill();
  client.signal.addEventListener('abort', kill);
  if (client.signal.aborted) kill();
  const errors = new ComplaintFilter();
  try {
    await Promise.all([
      pipeline(confined.stdout, watcher),
      pipeline(confined.stderr, errors),
      client.output('stdout', watcher),
      client.output('stderr', errors),
    ]);
    const status = await confined.ended;
    return { status, step: watcher.current, complaint: errors.tail };
  } finally {
    client.signal.removeEventListener('abort', kill);
    kill();
    await confined.ended;
  }
}

function failure(
  command: readonly string[],
  status: number | null,
  step: Instruction | undefined,
  complaint: string,
  { plan, target }: ImageBuildRequest,
  limit: string | undefined,
): Error {
  // buildah's own words come last: a command may have filled a disk that is not the server's.
  const external = new ExternalError(command, status, complaint.trim().split('\n').at(-1) ?? '');
  if (isDiskFull(external) || !step) return external;
  const reason = explainStep(complaint);
  const all = limit === undefined ? reason : `${reason}: ${limit}`;
  const { message } = lineError(plan.file, step.line, `${shownText(step)}: ${all}`, '');
  return new UserError(
    'EXTERNAL',
    message,
    limit !== undefined
      ? 'Have it do less at a time; the administrator sets limits.container-processes and -memory in server.conf.'
      : `What it printed stands above. ${target.owner}/${target.name} was not changed; steps before that line are kept for the next build.`,
  );
}

/** Brings the result into the server's store and points the name there. Throws UserError CONFLICT when it is kept under another one. */
async function publish(
  { catalogue, committer, skopeo }: ImageBuildDeps,
  { user, target, expected, source }: ImageBuildRequest,
  { store, work }: BuildPlaces,
  client: ImageBuildClient,
  bases: readonly Base[],
  digest: string,
): Promise<void> {
  const report = (step: string, amount = {}) => client.progress({ type: 'progress', step, ...amount });
  const base = bases.find(({ record }) => record.digest === digest);
  const known = base?.record ?? (await catalogue.digest(digest));
  const layers = known?.layers ?? (await readConfiguration(store, digest)).diffIds;
  const before = await catalogue.find(target);
  let moved: UserError | undefined;
  const record = await committer.receive({
    ...{ digest, layers, report },
    fetch: async () => {
      if (base) return undefined;
      report('Saving the image');
      const overlay = { root: store, run: join(work, 'run'), images: join(work, 'images') };
      await skopeo.copyBuilt(overlay, { digest, temporary: join(work, 'tmp'), signal: client.signal });
      return undefined;
    },
    point: async (made) => {
      client.signal.throwIfAborted();
      moved = await pointOrKeep(catalogue, target, made, expected, { user, action: 'build', detail: source });
    },
  });
  if (moved) throw moved;
  await client.saved({ ...target, ...record }, before?.digest !== digest);
}
