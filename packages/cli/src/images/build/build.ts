/**
 * Folder `images/build/`: `walt image build`.
 *
 * This file sends a folder, shows the build, tells what came of it.
 */
import type { Connection } from '@walt/client/connection';
import type { Architecture, SavedImage } from '@walt/contract';
import { MAX_BUILD_SOURCE } from '@walt/contract/values/limits';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { remark } from '../../terminal/output.ts';
import { ClientJob } from '../job.ts';
import { sendContext } from './send.ts';
import { openSource, type SourceOptions } from './source.ts';

export interface BuildOptions extends YesOption {
  name: string;
  source: SourceOptions;
  args: Readonly<Record<string, string>>;
  architecture: Architecture | undefined;
  cache: boolean;
  /** Stage to build; undefined: the last. */
  target: string | undefined;
  /** Where standard output of the build goes: with --json, that is for data. */
  output: NodeJS.WriteStream;
}

/** Undefined when ctrl-c ended it. Throws AbortError when the build failed. */
export async function buildImage(
  connection: Connection,
  options: BuildOptions,
): Promise<SavedImage | undefined> {
  const { name, args, architecture, cache, target } = options;
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Error('interrupted'));
  process.on('SIGINT', interrupt);
  try {
    await using source = await openSource(options.source, interrupted.signal);
    const { file, dockerfile, origin } = source;
    const { job: id } = await confirming(options, (yes) =>
      connection.client.image.build.open({
        ...{ name, file, dockerfile, args: { ...args }, cache, yes },
        source: origin.replace(/\p{Cc}/gu, '?').slice(-MAX_BUILD_SOURCE),
        ...(architecture !== undefined && { architecture }),
        ...(target !== undefined && { target }),
      }),
    );
    const job = new ClientJob(connection, id, {
      sinks: { stdout: options.output, stderr: process.stderr },
      send: (own) => sendContext(own, source),
      lost: [
        'The connection to the server was lost: the build has ended, and no image was changed.',
        'See `sudo walt-server status`, then repeat the command: finished steps are kept.',
      ],
      ownFiles: {
        refused: `A file in ${source.folder} cannot be read`,
        hint: 'Change its mode, or name it in .dockerignore.',
      },
    });
    interrupted.signal.addEventListener('abort', () => job.close());
    if (interrupted.signal.aborted) job.close();
    const { saved } = await job.end();
    if (saved === undefined) throw job.lost;
    return saved;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    remark(`Ended; ${name} is as it was.`);
    return undefined;
  } finally {
    process.off('SIGINT', interrupt);
  }
}
