/**
 * Folder `images/cross/`: `walt image cross`.
 *
 * This file sends the current folder, shows what the command prints, takes back what it changed.
 */
import type { Connection } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import type { JobEnd } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { INTERRUPTED } from '../../errors.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { remark } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';
import { ClientJob } from '../job.ts';
import { BuildFolder } from './folder.ts';

export interface CrossOptions extends YesOption {
  image: string;
  command: string[];
  prefix: string;
  save: boolean;
  /** Name to save under; undefined: the image's own. */
  name: string | undefined;
}

/** Builds in the current folder. Answers the command's exit status. Throws AbortError when the build cannot be done. */
export async function crossBuild(connection: Connection, options: CrossOptions): Promise<number> {
  const { client } = connection;
  const { image, command, prefix, save, name } = options;
  const folder = process.cwd();
  const prepared = await confirming(options, (yes) =>
    follow(
      client.image.cross.open({
        image,
        command,
        folder,
        prefix,
        save,
        yes,
        ...(name !== undefined && { name }),
      }),
    ),
  );
  if (!prepared.ownLibrary) {
    remark(
      `${image} has no C library to build with: the compiler's own is used. It gets one by: apt install libc6-dev`,
    );
  }
  let interrupted = false;
  const content = new BuildFolder(folder);
  const job = new ClientJob(connection, prepared.job, {
    sinks: process,
    send: (own) => content.send(own),
    lost: [
      'The connection to the server was lost: the build has ended, and nothing is saved.',
      'See `sudo walt-server status`, then repeat the command.',
    ],
    ownFiles: {
      refused: 'A file of the current folder cannot be read or written',
      hint: 'Change its mode, or build in a folder that is yours.',
    },
    onEvent: (event, own) => {
      if (event.type === 'deleted') content.delete(own, event.paths);
      else own.show({ type: 'progress', step: 'Taking back what was changed' });
    },
    onFiles: (bytes, own) => content.take(own, bytes),
  });
  const interrupt = () => {
    interrupted = true;
    job.close();
  };
  process.on('SIGINT', interrupt);
  try {
    const end = await job.end((lost) => content.finish(lost));
    return await conclude(connection, options, end);
  } catch (error) {
    if (!interrupted) throw error;
    remark(`Ended; ${image} is as it was.`);
    return INTERRUPTED;
  } finally {
    process.off('SIGINT', interrupt);
  }
}

async function conclude(
  { client }: Connection,
  { image, save }: CrossOptions,
  { status, saved }: JobEnd,
): Promise<number> {
  if (status !== 0) {
    if (save) remark(`The command ended with status ${status}: ${image} is as it was.`);
    return status;
  }
  if (!save) return status;
  if (saved === undefined) {
    throw new AbortError(
      'UNAVAILABLE',
      'The server did not tell that it saved the image.',
      'See: walt image show',
    );
  }
  if (!saved.changed) remark('Nothing was installed: nothing was saved.');
  else remark(`${saved.image} is saved (${shortDigest(saved.digest)}).`);
  await offerReboot(client, saved.nodes);
  return status;
}
