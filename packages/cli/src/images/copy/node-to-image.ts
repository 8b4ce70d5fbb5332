/** Files of a running node into the image that it boots: no byte of them lands on this machine. */
import { posix } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Connection } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { type ImageWritten, writeToImage } from '@walt/client/image-files';
import { UsageError } from '../../errors.ts';
import { reachNode } from '../../ssh/access.ts';
import { sshFiles } from '../../ssh/files.ts';
import { shellLine } from '../../ssh/remote-line.ts';
import { exitStatus, start } from '../../ssh/spawn.ts';
import { openDisplay } from '../../terminal/progress.ts';
import { requireFolder } from './to-image.ts';

/**
 * Bytes at the end of a tar that are sent once the node has said that it is whole: its last record, by which the server knows that
 * nothing follows, also where the node could read nothing.
 */
const HELD = 21 * 512;

/** Copies an absolute path of a node to the same path in its image; a new version of the image comes of it. */
export async function copyToBootedImage(
  connection: Connection,
  nodeName: string,
  path: string,
): Promise<ImageWritten> {
  const { dir, base } = posix.parse(posix.normalize(path));
  if (!path.startsWith('/') || base === '' || base === '..') {
    throw new UsageError(
      `${path} cannot be copied into the image: it is no absolute path of a file or folder.`,
      `Write ${nodeName}:/PATH; the copy goes to the same path in the image.`,
    );
  }
  const node = await reachNode(connection.client, nodeName);
  const folder = { image: node.image, path: dir };
  await requireFolder(connection, folder);
  using display = openDisplay();
  const step = `Copying ${path} of ${node.name} into ${node.image}`;
  display.show({ type: 'progress', step });

  const remote = shellLine(['tar', '-c', '-f', '-', '-C', dir, '--', base]);
  const ssh = start('ssh', ['-F', sshFiles().config, '--', node.name, remote], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!ssh.stdout) throw new TypeError('ssh was started without a pipe');
  const ended = exitStatus(ssh, 'ssh');
  let done = 0;
  let failure: AbortError | undefined;
  const tar = new PassThrough();
  const body = async function* (output: AsyncIterable<Buffer>) {
    let held = Buffer.alloc(0);
    for await (const chunk of output) {
      done += chunk.length;
      display.show({ type: 'progress', step, done, unit: 'bytes' });
      held = Buffer.concat([held, chunk]);
      if (held.length <= HELD) continue;
      yield held.subarray(0, -HELD);
      held = held.subarray(-HELD);
    }
    // A tar that broke off on the node must break off here too: the server then changes nothing.
    const status = await ended;
    if (status !== 0 && !ssh.killed) failure = unreadable(node.name, path, status);
    if (status !== 0) throw failure ?? new Error('the server takes no more');
    display.show({ type: 'progress', step: `Saving ${node.image}` });
    yield held;
  };
  const sent = pipeline(ssh.stdout, body, tar);
  try {
    const [written] = await Promise.all([writeToImage(connection, folder, tar), sent]);
    return written;
  } catch (error) {
    ssh.kill();
    await sent.catch(() => {});
    // Where the node's side failed, that is the cause; what the server saw of it is a broken connection.
    throw failure ?? error;
  }
}

function unreadable(node: string, path: string, status: number): AbortError {
  return new AbortError(
    'NOT_FOUND',
    `${node} could not read ${path} (tar ended with status ${status}).`,
    'What it said is above. The image is as it was.',
  );
}
