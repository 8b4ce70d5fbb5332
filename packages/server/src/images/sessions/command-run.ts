import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { LostChange, NamedImage } from '@walt/contract';
import { type ContainerLimits, UserError } from '../../platform/index.ts';
import { runsNatively, serverArchitecture } from '../architectures.ts';
import { type Expected, gone } from '../catalogue/index.ts';
import type { Containers } from '../containers/index.ts';
import { commandSpec, requireAccountFiles } from '../containers/index.ts';
import { type SaveParts, saveChange } from '../saves/index.ts';
import type { Store } from '../store/index.ts';
import { limitNote } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

interface Deps extends SaveParts {
  limits: ContainerLimits;
  emulate(architecture: ImageRecord['architecture']): Promise<void>;
}

/** podman(1), EXIT STATUS: its own failure, a program that cannot be run, a program that is not there. */
const NOT_STARTED: readonly (number | null)[] = [125, 126, 127];

/** Bytes of podman's own words that are kept. */
const MAX_COMPLAINT = 4096;

/** A command that runs in a container of an image, of which nothing is kept unless it is saved. */
export interface CommandRun {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Exit status; throws UserError NOT_FOUND when the image has no such program, UNAVAILABLE when it cannot be run. */
  exited: Promise<number>;
  /** What the user should know of its end, in a sentence; to be asked after that. */
  note(): string | undefined;
  /**
   * Points `target` to the image with what the command changed, once it has ended. Throws UserError CONFLICT when that is kept
   * under another name, since `target` was moved (`saveChange`).
   */
  save(
    target: NamedImage,
    expected: Expected,
  ): Promise<{ image: ImageRecord; changed: boolean; lost: LostChange[] }>;
  /** Kills what still runs and removes the container. Safe to repeat. */
  end(): Promise<void>;
}

/**
 * Starts a command in an image. The container is in no table: the next start of a server that was killed removes it.
 * Throws UserError UNAVAILABLE when the server cannot run the image's binaries.
 */
export async function startCommand(
  deps: Deps,
  user: string,
  image: ImageRecord,
  command: readonly string[],
): Promise<CommandRun> {
  const { catalogue, containers, committer, store, limits, room } = deps;
  await room.require();
  if (!runsNatively(image.architecture, serverArchitecture())) await deps.emulate(image.architecture);
  const name = `walt-run-${randomBytes(8).toString('hex')}`;
  // Somebody may replace the image while the command runs; without a change, the name is to point to it all the same.
  const hold = await committer.hold(image.digest, image.layers);
  try {
    if (!(await catalogue.digest(image.digest))) throw gone(image);
    const spec = commandSpec({ name, digest: image.digest, image: image.name, command, limits });
    await containers.create(spec);
    await requireAccountFiles(containers, name);
  } catch (error) {
    hold.release();
    await containers.remove(name);
    throw error;
  }
  const child = attached(store, name);
  let full = false;
  let note: string | undefined;
  const watch = room.watch(() => {
    full = true;
    containers.remove(name).catch(() => {});
  });
  const exited = exitStatus(child, containers, name, image, command)
    .finally(() => {
      if (full) throw room.failure('The command was ended, and nothing of it is kept.');
    })
    .then(({ status, counted }) => {
      note = limitNote('The command', counted, limits);
      return status;
    })
    .finally(() => watch[Symbol.dispose]());
  // Whoever is interested handles its failure; where nobody is, it must not bring the server down.
  exited.catch(() => {});
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    note: () => note,
    save: async (target, expected) => {
      const move = { user, action: 'run', detail: `${image.owner}/${image.name}`, from: [image] } as const;
      const task = { container: name, base: image.digest, target, expected, move, report: () => {} };
      const { record: saved, lost } = await saveChange(deps, task);
      if (!saved) await catalogue.point(target, image, expected, move);
      return { image: { ...image, ...saved, ...target }, changed: saved !== undefined, lost };
    },
    end: async () => {
      hold.release();
      watch[Symbol.dispose]();
      await containers.remove(name);
      // What nobody reads any more would keep podman's end from being seen.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    },
  };
}

/** podman's command line rather than its REST API: it keeps standard output and error apart, and passes on the end of input. */
function attached(store: Store, name: string): ChildProcessByStdio<Writable, Readable, Readable> {
  const { argv, env, cwd } = store.podman('start', '--attach', '--interactive', '--sig-proxy=false', name);
  const [file, ...args] = ['setpriv', '--pdeathsig', 'KILL', '--', ...argv] as const;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd });
  // A command that does not read its input closes the pipe: its exit status tells the rest.
  child.stdin.on('error', () => {});
  return child;
}

async function exitStatus(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  containers: Containers,
  name: string,
  image: ImageRecord,
  command: readonly string[],
): Promise<{ status: number; counted: string }> {
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-MAX_COMPLAINT);
  });
  const [status] = (await once(child, 'close')) as [number | null];
  const state = await containers.inspect(name);
  if (NOT_STARTED.includes(status) && (state?.status === 'created' || state?.status === 'initialized')) {
    throw notStarted(image, command[0] ?? '', complaint);
  }
  if (!state) throw new UserError('UNAVAILABLE', 'The command was ended.', 'Run it again.');
  const ended = await containers.ended(name);
  const { counted = '' } = (await containers.inspect(name)) ?? {};
  return { status: ended, counted };
}

function notStarted({ owner, name }: ImageRecord, program: string, complaint: string): UserError {
  const text = JSON.stringify(program);
  if (/not found|no such file/i.test(complaint)) {
    return new UserError(
      'NOT_FOUND',
      `Image "${owner}/${name}" has no program ${text}.`,
      `Look into it with: walt image shell ${name}`,
    );
  }
  return new UserError(
    'UNAVAILABLE',
    `${text} cannot be run in image "${owner}/${name}": ${complaint.trim().split('\n').at(-1) ?? ''}`,
    "It must be a program for the image's CPU, with permission to be executed.",
  );
}
