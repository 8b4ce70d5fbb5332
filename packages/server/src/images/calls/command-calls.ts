import type { SavedRun } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import type { CommandRun } from '../sessions/index.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage } from './find.ts';
import { agreedReplacement } from './replacing.ts';

interface CommandInput {
  image: string;
  command: readonly string[];
  /** Name in the caller's set; undefined: nothing is saved. */
  saveAs?: string | undefined;
  yes: boolean;
}

/** A command that runs; `save`, where that is wanted, is for when it has succeeded. */
export interface RunningCommand {
  run: CommandRun;
  save: (() => Promise<SavedRun>) | undefined;
}

/** Starts a command in an image; throws as `Images.run`, and CONFIRM when another image has the name to save under. */
export async function runCommand(
  { images, nodes }: CallDeps,
  caller: Caller,
  { image: reference, command, saveAs, yes }: CommandInput,
): Promise<RunningCommand> {
  const image = await findImage(images, reference, caller.user);
  if (saveAs === undefined) return { run: await images.run(caller.user, image, command), save: undefined };
  const target = { owner: caller.user, name: saveAs };
  const expected = await agreedReplacement(images, image, target, yes);
  const run = await images.run(caller.user, image, command);
  const save = async () => {
    const { image: saved, changed, lost } = await run.save(target, expected);
    return { ...(await describeSaved(nodes, saved, changed)), lost };
  };
  return { run, save };
}
