/** What users ask of images: the contract's calls, and what its streams need. Who may do what is told by access/policy. */
import type { imageContract, registryContract } from '@walt/contract';
import type { Caller, CallsOf } from '../../access/index.ts';
import { buildCalls, crossCalls, runBuild, runCross } from './build-calls.ts';
import { runCommand } from './command-calls.ts';
import type { CallDeps } from './deps.ts';
import { fileCalls } from './file-calls.ts';
import { historyCalls } from './history-calls.ts';
import { imageCalls } from './image-calls.ts';
import { imagesElsewhere, registryCalls } from './registry-calls.ts';
import { attachSession, sessionCalls } from './session-calls.ts';

export type { Told } from './build-calls.ts';
export type { RunningCommand } from './command-calls.ts';

export function createImageCalls(deps: CallDeps) {
  const image: CallsOf<typeof imageContract> = {
    ...{ ...imageCalls(deps), ...historyCalls(deps), ...imagesElsewhere(deps) },
    ...{ shell: sessionCalls(deps), cross: crossCalls(deps), build: buildCalls(deps) },
  };
  const registry: CallsOf<typeof registryContract> = registryCalls(deps);
  return { image, registry };
}

/** What comes and goes as bytes: terminals, commands, builds, files. */
export function createImageStreams(deps: CallDeps) {
  return {
    attach: bound(deps, attachSession),
    run: bound(deps, runCommand),
    build: bound(deps, runBuild),
    cross: bound(deps, runCross),
    files: fileCalls(deps),
  };
}

export type ImageStreams = ReturnType<typeof createImageStreams>;

function bound<Rest extends unknown[], Result>(
  deps: CallDeps,
  act: (deps: CallDeps, caller: Caller, ...rest: Rest) => Result,
): (caller: Caller, ...rest: Rest) => Result {
  return (caller, ...rest) => act(deps, caller, ...rest);
}
