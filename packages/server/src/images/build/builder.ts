/** Runs buildah for one build, as often as that takes, in the store of its user. */
import { copyFile, mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ExternalError, readIfPresent, UserError } from '../../platform/index.ts';
import { isDiskFull } from '../disk-full.ts';
import { imageId } from '../store/index.ts';
import { buildCommand, environment, FILES, groupName, writeRuntime } from './buildah.ts';
import { ComplaintFilter, explainStep } from './complaints.ts';
import { type Confined, INSIDE, RESOLVER, startConfined } from './confined.ts';
import { ControlGroup } from './control-group.ts';
import {
  type BuildPlan,
  finalOrigin,
  type Instruction,
  lineError,
  quoted,
  StepWatcher,
  shownText,
} from './dockerfile/index.ts';
import {
  type Bases,
  type BuildPlaces,
  type ImageBuildClient,
  type ImageBuildDeps,
  type ImageBuildRequest,
  targetArchitecture,
} from './task.ts';
import { explainDamage, writeView } from './view.ts';

/** Characters of what a script complains of that are kept. */
const MAX_COMPLAINT = 16_384;

export class Builder {
  readonly places: BuildPlaces;
  readonly client: ImageBuildClient;
  readonly #deps: ImageBuildDeps;
  readonly #request: ImageBuildRequest;
  readonly #bases: Bases;
  readonly #group: ControlGroup;

  private constructor(
    deps: ImageBuildDeps,
    request: ImageBuildRequest,
    places: BuildPlaces,
    client: ImageBuildClient,
    bases: Bases,
    group: ControlGroup,
  ) {
    this.#deps = deps;
    this.#request = request;
    this.places = places;
    this.client = client;
    this.#bases = bases;
    this.#group = group;
  }

  /** Makes what buildah needs, once its user's folder has come. */
  static async open(
    deps: ImageBuildDeps,
    request: ImageBuildRequest,
    places: BuildPlaces,
    client: ImageBuildClient,
    bases: Bases,
  ): Promise<Builder> {
    const { store, cache, work, id } = places;
    const { paths, limits, store: main } = deps;
    for (const folder of [store, cache, join(work, 'tmp', 'buildah-cache'), join(work, FILES.copies)]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    // When it was last of use.
    await utimes(store, new Date(), new Date());
    const digests = [...bases.values()].map(({ record }) => record.digest);
    const view = { own: store, view: join(work, 'images'), mounted: INSIDE.layers };
    await writeView(paths.containers, digests, view).catch((error: unknown) => {
      throw explainDamage(error, `${request.plan.file}: An image that it starts from`);
    });
    await writeFile(join(work, 'resolv.conf'), `nameserver ${RESOLVER}\n`);
    await copyFile(main.configFile, join(work, FILES.config));
    const group = await ControlGroup.make(groupName(id), limits.container);
    await writeRuntime(work, group.commandEvents);
    return new Builder(deps, request, places, client, bases, group);
  }

  /** Builds the last stage of a plan, which is the whole one's or a part of it. Answers its image's digest, in the user's own store. */
  async make(plan: BuildPlan, dockerfile: string, folders: readonly string[]): Promise<string> {
    const { args, cache, architecture } = this.#request;
    const { work, id } = this.places;
    await writeFile(join(work, FILES.dockerfile), dockerfile);
    const made = finalOrigin(plan) ? undefined : targetArchitecture({ architecture });
    const command = buildCommand({ id, args, cache, architecture: made, folders });
    const names = new Map([...this.#bases].map(([{ text }, { record }]) => [imageId(record.digest), text]));
    const watcher = new StepWatcher(plan, names);
    const errors = new ComplaintFilter();
    const status = await this.#run(command, (confined) => [
      pipeline(confined.stdout, watcher),
      pipeline(confined.stderr, errors),
      this.client.output('stdout', watcher),
      this.client.output('stderr', errors),
    ]);
    if (status !== 0) throw await this.#failure(command, status, watcher.current, errors.tail);
    return (await readFile(join(work, FILES.result), 'utf8')).trim();
  }

  /** Runs a shell script confined: what it prints. Fails with ExternalError when the script does. */
  async *confined(script: string, args: readonly string[]): AsyncGenerator<Buffer> {
    const argv = ['/bin/sh', '-c', script, 'sh', ...args];
    const output = new PassThrough();
    // Who reads hears of it.
    output.on('error', () => {});
    let complaint = '';
    const running = this.#run(argv, (confined) => [
      pipeline(confined.stdout, output, { end: false }),
      endOf(confined.stderr).then((all) => {
        complaint = all;
      }),
    ]);
    running.then(
      (status) => (status === 0 ? output.end() : output.destroy(new ExternalError(argv, status, complaint))),
      (error: Error) => output.destroy(error),
    );
    yield* output as AsyncIterable<Buffer>;
  }

  /** Throws the signal's reason when the client has gone. */
  async #run(
    argv: readonly string[],
    take: (confined: Confined) => Promise<unknown>[],
  ): Promise<number | null> {
    const { paths, host, store: main } = this.#deps;
    const { store, work, cache } = this.places;
    const { signal } = this.client;
    const folders = {
      ...{ store, work, cache, overlay: main.layerFolder },
      hidden: [paths.state, paths.runtime],
    } as const;
    const confined = await startConfined(host, folders, argv, environment(), this.#group);
    const kill = () => confined.kill();
    signal.addEventListener('abort', kill);
    if (signal.aborted) kill();
    try {
      await Promise.all(take(confined));
      const status = await confined.ended;
      signal.throwIfAborted();
      return status;
    } finally {
      signal.removeEventListener('abort', kill);
      kill();
      await confined.ended;
    }
  }

  async #failure(
    command: readonly string[],
    status: number | null,
    step: Instruction | undefined,
    complaint: string,
  ): Promise<Error> {
    const { plan, target } = this.#request;
    const events = step?.keyword === 'RUN' ? await readIfPresent(join(this.places.work, FILES.events)) : '';
    const limit = await this.#group.reached(events ?? '');
    // buildah's own words come last: a command may have filled a disk that is not the server's.
    const external = new ExternalError(command, status, complaint.trim().split('\n').at(-1) ?? '');
    if (isDiskFull(external) || !step) return external;
    const unheld = step.keyword === 'RUN' && (await readIfPresent(join(this.places.work, FILES.unheld)));
    const reason = unheld
      ? `it made ${quoted(`/${unheld}`)}, and in an image, names that begin with ".wh." mean a deletion`
      : explainStep(complaint);
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
}

async function endOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let end = '';
  for await (const chunk of stream) end = (end + chunk.toString('utf8')).slice(-MAX_COMPLAINT);
  return end;
}
