/**
 * Folder `nodes/copy/`: `walt node cp`.
 *
 * Files between this machine and nodes, or from node to node: a tar over ssh, so that links, modes, times and holes are kept.
 */
import type { ChildProcess } from 'node:child_process';
import { lstat, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AbortError, hasCode } from '@walt/client/errors';
import { landingHere, meansContent } from '../../images/copy/destination.ts';
import { packFiles } from '../../images/copy/pack-files.ts';
import { unpack } from '../../images/copy/unpack.ts';
import { sshFiles } from '../../ssh/files.ts';
import { shellLine } from '../../ssh/remote-line.ts';
import { eachLine } from '../../ssh/run.ts';
import { exitStatus, start } from '../../ssh/spawn.ts';
import { remark } from '../../terminal/output.ts';
import { type Display, openDisplay } from '../../terminal/progress.ts';
import { type Answer, KIND, PACK, UNPACK } from './remote-scripts.ts';

export interface NodePath {
  node: string;
  path: string;
}

export type Kind = 'content' | 'folder' | 'file';

/** How ssh reaches a node. */
export interface Way {
  node: string;
  /** Configuration file for ssh; default: the one for all nodes. */
  config?: string;
  /** Gets what the node complains of; undefined: it goes to standard error as it is. */
  onComplaint?: (line: string) => void;
}

/** Throws AbortError when `source` is not there, or cannot be where `destination` is. */
export async function copyToNode(source: string, { node, path }: NodePath): Promise<void> {
  const kind = await kindHere(source);
  using display = openDisplay();
  const step = `Copying ${source} to ${node}`;
  display.show({ type: 'progress', step });
  await sendTo({ node }, path, {
    ...{ source, kind },
    onBytes: (done) => display.show({ type: 'progress', step, done, unit: 'bytes' }),
    onSkipped: leftOut,
  });
}

/** Throws AbortError when what is here cannot be at `path` there. */
export async function sendTo(
  way: Way,
  path: string,
  {
    source,
    kind,
    ...tell
  }: { source: string; kind: Kind; onBytes: (done: number) => void; onSkipped: (path: string) => void },
): Promise<void> {
  await using receiver = await openReceiver(way, path, kind, posix.basename(source));
  const tar = await packFiles(kind === 'file' ? source : `${source}/.`, {
    ...{ archive: false, attributes: receiver.tar === 'gnu', format: receiver.tar === 'gnu' ? 'pax' : 'gnu' },
    ...{ ...tell, onEnd: () => {} },
  });
  await receiver.take(tar);
}

/** Throws AbortError when `source` is not there, or there is no folder for it. */
export async function copyFromNode(source: NodePath, destination: string): Promise<void> {
  const place = await landingHere(source.path || '.', destination);
  using display = openDisplay();
  const step = `Copying ${source.path} of ${source.node}`;
  display.show({ type: 'progress', step });
  await using sender = openSender(source, meansContent(source.path) ? 'content' : 'file');
  await unpack(sender.tar(display, step), {
    ...{ landing: place, wrapped: !meansContent(source.path), existing: 'keep' },
    onBytes: () => {},
    onSkipped: leftOut,
  });
}

/** No byte of it lands on this machine. Throws AbortError as the others do. */
export async function copyBetweenNodes(source: NodePath, destination: NodePath): Promise<void> {
  using display = openDisplay();
  const step = `Copying ${source.path} of ${source.node} to ${destination.node}`;
  display.show({ type: 'progress', step });
  const there = await kindThere(source);
  const kind = meansContent(source.path) && there === 'folder' ? 'content' : there;
  const way = { node: destination.node };
  await using receiver = await openReceiver(way, destination.path, kind, posix.basename(source.path));
  await using sender = openSender(source, kind === 'file' ? 'file' : 'content');
  await receiver.take(sender.tar(display, step));
}

export function leftOut(path: string): void {
  remark(`Left out ${path}: it is neither file, folder nor link.`);
}

function ssh(
  { node, config = sshFiles().config, onComplaint }: Way,
  script: string,
  words: readonly string[],
  input: 'pipe' | 'ignore',
): ChildProcess {
  const line = shellLine(['sh', '-c', script, 'walt-cp', ...words]);
  const child = start('ssh', ['-F', config, '-T', '--', node, line], {
    stdio: [input, 'pipe', onComplaint ? 'pipe' : 'inherit'],
  });
  if (onComplaint) void eachLine(child.stderr, onComplaint);
  return child;
}

interface Sender extends AsyncDisposable {
  /** Fails with an AbortError when the node could not read all of it. */
  tar(display: Display, step: string): Readable;
}

function openSender({ node, path }: NodePath, kind: 'content' | 'file'): Sender {
  const child = ssh({ node }, PACK, [path || '.', kind], 'ignore');
  const ended = exitStatus(child, 'ssh');
  ended.catch(() => {}); // whoever reads the tar hears of it
  const output = outputOf(child);
  return {
    tar: (display, step) =>
      Readable.from(
        (async function* () {
          let done = 0;
          for await (const chunk of output) {
            done += chunk.length;
            display.show({ type: 'progress', step, done, unit: 'bytes' });
            yield chunk;
          }
          // A tar that broke off on the node must break off here too.
          const status = await ended;
          if (status !== 0) throw unreadable(node, path, status);
        })(),
        { objectMode: false },
      ),
    [Symbol.asyncDispose]: async () => void child.kill(),
  };
}

function unreadable(node: string, path: string, status: number): AbortError {
  return new AbortError(
    status === 255 ? 'UNAVAILABLE' : 'EXTERNAL',
    `${node} could not send all of ${path || 'its home folder'} (exit status ${status}).`,
    status === 127 ? 'Install tar in the image of the node.' : 'What it said is above.',
  );
}

interface Receiver extends AsyncDisposable {
  /** Which tar the node has: only GNU tar knows extended attributes, and names of any length in pax archives. */
  tar: 'gnu' | 'other';
  /** Resolves when all is written there. Throws what the tar fails with, or an AbortError. */
  take(tar: Readable): Promise<void>;
}

async function openReceiver(way: Way, path: string, kind: Kind, base: string): Promise<Receiver> {
  const { node } = way;
  const child = ssh(way, UNPACK, [path || '.', kind, base], 'pipe');
  const { stdin } = child;
  if (!stdin) throw new TypeError('ssh was started without a pipe');
  const ended = exitStatus(child, 'ssh');
  ended.catch(() => {});
  const answer = await firstLine(outputOf(child));
  if (answer !== 'gnu' && answer !== 'other') {
    // Nothing was said: ssh could not reach the node, and has told why.
    const status = await ended;
    throw refusal(answer, { node, path }, base) ?? unwritten(node, path, status);
  }
  return {
    tar: answer,
    take: async (tar) => {
      let failure: unknown;
      const body = async function* () {
        try {
          yield* tar as AsyncIterable<Buffer>;
        } catch (error) {
          failure = error;
          throw error;
        }
      };
      // tar there reads no further than the end of the archive: that it closed the pipe says nothing, its exit status does.
      await pipeline(body, stdin).catch(() => {
        if (failure !== undefined) child.kill();
      });
      const status = await ended;
      if (failure !== undefined) throw failure;
      if (status !== 0) throw unwritten(node, path, status);
    },
    [Symbol.asyncDispose]: async () => void child.kill(),
  };
}

/** Undefined for an answer that is none of ours. */
function refusal(answer: string, { node, path }: NodePath, base: string): AbortError | undefined {
  const refusals: Partial<Record<Answer, [code: string, message: string, hint: string]>> = {
    'no-tar': ['UNAVAILABLE', `There is no program tar on ${node}.`, 'Install it in the image of the node.'],
    'no-folder': ['NOT_FOUND', `There is no folder for ${path} on ${node}.`, 'Make it first.'],
    file: ['CONFLICT', `${path} is a file on ${node}, and ${base} is a folder.`, 'Name another destination.'],
    folder: [
      'CONFLICT',
      `There is a folder ${base} in ${path} on ${node}, and a file of that name was to be copied.`,
      'Name another destination.',
    ],
  };
  const found = refusals[answer as Answer];
  return found && new AbortError(...found);
}

function unwritten(node: string, path: string, status: number): AbortError {
  return new AbortError(
    status === 255 ? 'UNAVAILABLE' : 'EXTERNAL',
    `${node} could not write all of ${path || 'its home folder'} (exit status ${status}).`,
    'What it said is above.',
  );
}

async function kindThere({ node, path }: NodePath): Promise<'folder' | 'file'> {
  const child = ssh({ node }, KIND, [path || '.'], 'ignore');
  const ended = exitStatus(child, 'ssh');
  ended.catch(() => {});
  const answer = await firstLine(outputOf(child));
  const status = await ended;
  if (answer === 'folder' || answer === 'file') return answer;
  if (answer !== 'none') throw unreadable(node, path, status);
  throw new AbortError('NOT_FOUND', `There is no ${path} on ${node}.`, 'Check the path.');
}

function outputOf(child: ChildProcess): Readable {
  if (!child.stdout) throw new TypeError('ssh was started without a pipe');
  return child.stdout;
}

/** Bytes of an answer: each is a word. */
const MAX_ANSWER = 100;

/** Empty when the stream ends before it. */
async function firstLine(output: Readable): Promise<string> {
  let text = '';
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.includes('\n') || text.length > MAX_ANSWER) break;
  }
  return text.split('\n')[0] ?? '';
}

/** A link to a folder counts as a file, unless its content is asked for by `/.` or `/`. Throws NOT_FOUND. */
export async function kindHere(source: string): Promise<Kind> {
  const content = meansContent(source);
  try {
    const stats = await (content || source.endsWith('/') ? stat(source) : lstat(source));
    return stats.isDirectory() ? (content ? 'content' : 'folder') : 'file';
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENOTDIR')) throw error;
    throw new AbortError('NOT_FOUND', `There is no ${source} on this machine.`, 'Check the path.');
  }
}
