/** What a user's earlier builds came to: the same Dockerfile, arguments, images and folder give the same image, without buildah. */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digest } from '@walt/contract';
import { namesIn, readIfPresent, writeFileAtomic } from '../../platform/index.ts';
import type { BuildPlan } from './dockerfile/index.ts';
import { isChoosing } from './dockerfile/index.ts';

/** Results that are remembered; then it begins anew. */
const MAX_RESULTS = 500;

/** False when a build takes something from elsewhere that may have changed meanwhile: buildah looks at it each time. */
export function isRepeatable({ stages }: BuildPlan, triggers: readonly string[]): boolean {
  const adds = stages.flatMap(({ steps }) =>
    steps.filter(({ instruction }) => instruction.keyword === 'ADD'),
  );
  // What has a checksum is always the same.
  const loose = adds.filter(({ instruction }) => !isChoosing(instruction));
  return triggers.length === 0 && !loose.some(({ instruction }) => /:\/\/|\$|git@/.test(instruction.rest));
}

/** In the Dockerfile that is written anew, these are not to be seen. */
export function choicesOf({ stages }: BuildPlan): string[] {
  const steps = stages.flatMap((stage) => stage.steps.map(({ instruction }) => instruction));
  return steps.filter(isChoosing).map(({ flags }) => flags.join(' '));
}

/** `dockerfile` names images by their IDs, `choices` are the flags of steps that choose their files, `context` is the hash of the folder. */
export function resultKey(build: {
  dockerfile: string;
  choices: readonly string[];
  args: Readonly<Record<string, string>>;
  context: string;
}): string {
  const args = Object.entries(build.args).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = JSON.stringify([build.dockerfile, build.choices, args, build.context]);
  return createHash('sha256').update(all).digest('hex');
}

/** Digest of the image that this build came to; undefined when none did. */
export async function readResult(folder: string, key: string): Promise<string | undefined> {
  return digest.safeParse(await readIfPresent(join(folder, key))).data;
}

export async function noteResult(folder: string, key: string, made: string): Promise<void> {
  if ((await namesIn(folder)).length > MAX_RESULTS) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(folder, key), made);
}
