/** What users ask of images: the contract's calls, and what its streams need. Who may do what is told by access/policy. */
import { type imageContract, type JobEnd, type registryContract, sessionId } from '@walt/contract';
import type { Caller, CallsOf } from '../../access/index.ts';
import type { JobClient } from '../jobs/index.ts';
import { buildCalls, crossCalls } from './build-calls.ts';
import { commandCalls } from './command-calls.ts';
import type { JobDeps } from './deps.ts';
import { fileCalls } from './file-calls.ts';
import { historyCalls } from './history-calls.ts';
import { imageCalls } from './image-calls.ts';
import { imagesElsewhere, registryCalls } from './registry-calls.ts';
import { attachToSession, sessionCalls } from './session-calls.ts';

/** The calls, and what comes and goes as bytes: jobs and files. */
export function createImageCalls(opening: JobDeps) {
  const { jobs, ...deps } = opening;
  const image: CallsOf<typeof imageContract> = {
    ...{ ...imageCalls(deps), ...historyCalls(deps), ...imagesElsewhere(deps) },
    ...{ shell: sessionCalls(deps), cross: crossCalls(opening), build: buildCalls(opening) },
    run: commandCalls(opening),
  };
  const registry: CallsOf<typeof registryContract> = registryCalls(deps);
  const streams = {
    /** Attaches a client to a job that was opened, which it carries out, or to a session. Answers the last word to the client. */
    attach: async (caller: Caller, id: string, client: JobClient): Promise<JobEnd | undefined> =>
      sessionId.safeParse(id).success
        ? attachToSession(deps, caller, id, client)
        : jobs.take(caller.user, id)(client),
    files: fileCalls(deps),
  };
  return { calls: { image, registry }, streams };
}

export type ImageStreams = ReturnType<typeof createImageCalls>['streams'];
