import { Readable } from 'node:stream';
import {
  type Architecture,
  BOOTS_KEPT,
  fullName,
  type JobEnd,
  type NamedImage,
  type nodeChangesContract,
  parseImageReference,
} from '@walt/contract';
import { type CallsOf, refusal } from '../../access/index.ts';
import { changesSender, type NodeFiles, platformPaths } from '../../boot/index.ts';
import type { DigestRecord, Images, JobClient, OpenJobs, SentChanges } from '../../images/index.ts';
import { type Paths, UserError } from '../../platform/index.ts';
import { textOf } from '../../trees/index.ts';
import type { NodeEntry } from '../entry.ts';
import type { NodeLookup } from '../lookup.ts';
import type { NodeStore } from '../store.ts';
import type { Held, HeldChanges } from './held-changes.ts';

interface Deps {
  images: Pick<Images, 'find' | 'byDigest' | 'withDefault' | 'receiveChanges'>;
  entry: Pick<NodeEntry, 'require'>;
  lookup: Pick<NodeLookup, 'row' | 'view' | 'nodesByImage' | 'outdated'>;
  jobs: Pick<OpenJobs, 'open'>;
  held: HeldChanges;
  paths: Paths;
  files: Pick<NodeFiles, 'wouldLoad'>;
  store: { boots: Pick<NodeStore['boots'], 'of'> };
}

/** Changes that are told in one event. */
const BATCH = 500;

/** The contract's calls about what was changed on nodes. Who may enter a node may see and save what is on it. */
export function createChangesCalls(deps: Deps): CallsOf<typeof nodeChangesContract> {
  const { images, entry, lookup, jobs, held, files, store } = deps;
  return {
    async parts(caller, { name }) {
      await entry.require(caller, name);
      const [{ image, running }, row] = await Promise.all([lookup.view(name), lookup.row(name)]);
      if (running === null) throw notBooted(name);
      const [now, boots] = await Promise.all([files.wouldLoad(row.ip), store.boots.of(row.id, BOOTS_KEPT)]);
      const ran = boots.find(({ times, digest }) => times.booted !== undefined && digest === running);
      const loaded = (['platform', 'kernel', 'initramfs'] as const).map((part) => {
        return { part, ran: ran?.[part] ?? null, now: now?.[part] ?? null };
      });
      return { image, parts: [{ part: 'image', ran: running, now: row.digest }, ...loaded] };
    },

    async open(caller, { name, saveAs, yes }) {
      await entry.require(caller, name);
      const { image, running } = await lookup.view(name);
      const from = parseImageReference(image, caller.user);
      const base = running === null ? undefined : await images.byDigest(running);
      if (!base) throw notBooted(name);
      if (base.bootPlan !== 'volumes') throw notVolumes(name);
      const target = saveAs === undefined ? undefined : { owner: caller.user, name: saveAs };
      const expected = target && (await expectedOf(images, target, base.digest, yes));
      const job = jobs.open(caller.user, async (client) => {
        const changes = await receive(
          deps,
          { user: caller.user, node: name, base, keep: target !== undefined },
          client,
        );
        if (target && expected)
          await held.put(job, { user: caller.user, node: name, target, from, expected, changes });
        else await changes[Symbol.asyncDispose]();
        return tell(changes, client);
      });
      const users = target && (await lookup.nodesByImage()).get(fullName(target));
      return { job, image, digest: base.digest, nodes: [...(users ?? [])] };
    },

    async save(caller, { job }) {
      held.require(job, caller.user);
      // Whoever hangs up before the first answer has not taken it.
      return (async function* () {
        const { node, target, from, expected, changes } = held.take(job, caller.user);
        const task = { user: caller.user, target, from, expected, detail: `on ${node}` };
        const image = yield* changes.save(task);
        const nodes = await lookup.outdated(fullName(image), image.digest);
        const value = { image: fullName(image), digest: image.digest, changed: true, nodes };
        yield { type: 'result' as const, value };
      })();
    },
  };
}

/** Lends the node the program that sends, then takes what it prints. */
async function receive(
  { images, paths }: Deps,
  task: { user: string; node: string; base: DigestRecord; keep: boolean },
  client: JobClient,
): Promise<SentChanges> {
  const { base, ...rest } = task;
  const { architecture, digest } = base;
  const sender = await images.withDefault(architecture, (root) => changesSender(root, architecture));
  if (!sender) throw noSender(architecture);
  await client.output('stdout', Readable.from([sender], { objectMode: false }));
  const platform = await platformPaths(paths, digest);
  return await images.receiveChanges({
    ...{ ...rest, base, platform },
    tar: () => client.input(),
    onWait: () => client.tell({ type: 'progress', step: 'Waiting for another node of yours' }),
  });
}

function tell({ changes, lost, refusal: note }: SentChanges, client: JobClient): JobEnd {
  for (let from = 0; from < changes.length; from += BATCH) {
    const some = changes.slice(from, from + BATCH);
    client.tell({ type: 'changes', changes: some.map((one) => ({ ...one, path: textOf(one.path) })) });
  }
  return { status: 0, lost: [...lost], ...(note !== undefined && { note }) };
}

/** What the name must point to when it is moved. Throws CONFIRM when that is something else than the node runs, unless `yes`. */
async function expectedOf(
  images: Pick<Images, 'find'>,
  target: NamedImage,
  base: string,
  yes: boolean,
): Promise<Held['expected']> {
  const current = await images.find(target.owner, target.name);
  if (!current) return 'absent';
  if (!yes && current.digest !== base) throw refusal('image.replace', target);
  return { digest: current.digest };
}

function notBooted(node: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `Node ${node} does not answer: what was changed on it cannot be told.`,
    `Wait for it: walt node wait ${node}`,
  );
}

function notVolumes(node: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `Node ${node} runs an image that brings its own boot scripts, and mounts its files by NFS: attributes of files are lost on that way.`,
    `Copy what matters: walt node cp ${node}:/PATH booted-image`,
  );
}

function noSender(architecture: Architecture): UserError {
  return new UserError(
    'UNAVAILABLE',
    `There is no default image for ${architecture}, whose tar the node would be lent to send its changes.`,
    `Make it: walt advanced update-default-images --arch ${architecture}`,
  );
}
