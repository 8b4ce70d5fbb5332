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
import { openSource, type SourceOptions } from './source.ts';
import { ImageBuildStream } from './stream.ts';

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
    const { ticket } = await confirming(options, (yes) =>
      connection.client.image.build.prepare({
        ...{ name, file, dockerfile, args: { ...args }, cache, yes },
        source: origin.replace(/\p{Cc}/gu, '?').slice(-MAX_BUILD_SOURCE),
        ...(architecture !== undefined && { architecture }),
        ...(target !== undefined && { target }),
      }),
    );
    const stream = new ImageBuildStream(connection, ticket, source, {
      stdout: options.output,
      stderr: process.stderr,
    });
    interrupted.signal.addEventListener('abort', () => stream.close());
    if (interrupted.signal.aborted) stream.close();
    return await stream.end();
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    remark(`Ended; ${name} is as it was.`);
    return undefined;
  } finally {
    process.off('SIGINT', interrupt);
  }
}
