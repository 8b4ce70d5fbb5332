/** One build, from the images that it needs to the name of what it made. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { UserError } from '../../platform/index.ts';
import { removeTree } from '../../trees/index.ts';
import { runsNatively, serverArchitecture } from '../architectures.ts';
import { explainDiskFull } from '../disk-full.ts';
import { pointOrKeep } from '../saves/index.ts';
import { imageId } from '../store/index.ts';
import type { DigestRecord } from '../types.ts';
import { type Base, findBase } from './bases.ts';
import { FILES, groupName } from './buildah.ts';
import { Builder } from './builder.ts';
import { chooseFiles } from './chosen.ts';
import { unpackContext } from './context.ts';
import { removeControlGroup } from './control-group.ts';
import {
  checkTriggers,
  neededImages,
  quoted,
  type WriteOptions,
  writeDockerfile,
} from './dockerfile/index.ts';
import { choicesOf, isRepeatable, noteResult, readResult, resultKey } from './results.ts';
import type {
  Bases,
  BuildPlaces,
  BuiltImage,
  Found,
  ImageBuildClient,
  ImageBuildDeps,
  ImageBuildRequest,
} from './task.ts';
import { explainDamage, readConfiguration } from './view.ts';

/** Runs one build to its end, whatever that is: nothing is left of it then but the image and the user's cache. Throws UserError. */
export async function runImageBuild(
  deps: ImageBuildDeps,
  request: ImageBuildRequest,
  places: BuildPlaces,
  client: ImageBuildClient,
): Promise<BuiltImage> {
  const { paths } = deps;
  const bases: Bases = new Map();
  try {
    return await explainDiskFull(paths.state, 'No image was changed.', async () => {
      await findBases(deps, request, client, bases);
      client.signal.throwIfAborted();
      await mkdir(join(places.work, FILES.context), { recursive: true, mode: 0o700 });
      const folder = join(places.work, FILES.context);
      const context = await unpackContext(client.input(), folder, deps.limits.build);
      if (context.listed !== undefined) await client.output('stderr', Readable.from([lists(context.listed)]));
      const options: WriteOptions = {
        args: request.args,
        idOf: (needed) => imageId(bases.get(needed)?.record.digest ?? ''),
        environmentOf: (needed) => bases.get(needed)?.configuration.environment ?? new Map(),
      };
      const dockerfile = writeDockerfile(request.plan, options);
      const triggers = [...bases.values()].flatMap(({ configuration }) => configuration.triggers);
      const choices = choicesOf(request.plan);
      const key = resultKey({ dockerfile, choices, args: request.args, context: context.hash });
      const repeatable = isRepeatable(request.plan, triggers);
      const known = repeatable && request.cache ? await knownResult(deps, places, key) : undefined;
      if (known) await client.output('stdout', Readable.from([Buffer.from(UNCHANGED)]));
      const digest = known?.digest ?? (await build(deps, request, places, client, bases, options));
      const built = await publish(deps, request, places, client, [...bases.values()], digest);
      if (repeatable && !known) await noteResult(places.results, key, digest);
      return built;
    });
  } finally {
    for (const base of bases.values()) base.release();
    await removeControlGroup(groupName(places.id));
    await removeTree(places.work);
  }
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
  { user, plan, sees }: ImageBuildRequest,
  client: ImageBuildClient,
  bases: Bases,
): Promise<void> {
  const report = (step: string, amount = {}) => client.tell({ type: 'progress', step, ...amount });
  for (const needed of neededImages(plan)) {
    const base = await findBase(deps, needed, {
      ...{ user, file: plan.file, sees, report },
      signal: client.signal,
    });
    const unread = { diffIds: [], triggers: [], environment: new Map() };
    const found: Found = { ...base, configuration: unread };
    bases.set(needed, found);
    const { digest, architecture } = base.record;
    if (!runsNatively(architecture, serverArchitecture())) await deps.emulate(architecture);
    found.configuration = await readConfiguration(deps.paths.containers, digest).catch((error: unknown) => {
      throw explainDamage(error, `${plan.file}:${needed.line}: ${quoted(needed.text)}: The image`);
    });
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
  options: WriteOptions,
): Promise<string> {
  const { plan } = request;
  const builder = await Builder.open(deps, request, places, client, bases);
  const chosen = await chooseFiles(builder, plan, options);
  const folders = [...chosen.values()].map(({ folder }) => folder);
  return builder.make(plan, writeDockerfile(plan, { ...options, chosen }), folders);
}

/** Brings the result into the server's store and points the name there. Throws UserError CONFLICT when it is kept under another one. */
async function publish(
  { catalogue, committer, skopeo }: ImageBuildDeps,
  { user, target, expected, source }: ImageBuildRequest,
  { store, work }: BuildPlaces,
  client: ImageBuildClient,
  bases: readonly Base[],
  digest: string,
): Promise<BuiltImage> {
  const report = (step: string, amount = {}) => client.tell({ type: 'progress', step, ...amount });
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
      const from = bases.flatMap(({ name }) => name ?? []);
      const move = { user, action: 'build', detail: source, from } as const;
      moved = await pointOrKeep(catalogue, target, made, expected, move);
    },
  });
  if (moved) throw moved;
  return { image: { ...target, ...record }, changed: before?.digest !== digest };
}
