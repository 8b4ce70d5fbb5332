import type { imageContract, JobEnd } from '@walt/contract';
import type { CallsOf } from '../../access/index.ts';
import { feed, type JobClient, untilLeft } from '../jobs/index.ts';
import type { CommandRun } from '../sessions/index.ts';
import { describeSaved, type JobDeps } from './deps.ts';
import { findImage } from './find.ts';
import { agreedReplacement } from './replacing.ts';

/** The contract's calls about commands in images. Everybody may run them in every image; what is saved is the caller's own. */
export function commandCalls({ images, nodes, jobs }: JobDeps): CallsOf<(typeof imageContract)['run']> {
  return {
    open: async (caller, { image: reference, command, saveAs, yes }) => {
      const image = await findImage(images, reference, caller);
      const target = saveAs === undefined ? undefined : { owner: caller.user, name: saveAs };
      const expected = target && (await agreedReplacement(images, image, target, yes));
      if (target) await images.requireSpace(target.owner);
      const job = jobs.open(caller.user, async (client) => {
        const run = await images.run(caller.user, image, command);
        try {
          const end = await endOf(run, client);
          if (end?.status !== 0 || !target || !expected) return end;
          const { image: saved, changed, lost } = await run.save(target, expected);
          return { ...end, saved: await describeSaved(nodes, saved, changed), lost };
        } finally {
          await run.end();
        }
      });
      return { job };
    },
  };
}

/** Joins a client and a command. Undefined when the client left first. */
async function endOf(run: CommandRun, client: JobClient): Promise<JobEnd | undefined> {
  feed(client.input(), run.stdin);
  const printed = [client.output('stdout', run.stdout), client.output('stderr', run.stderr)];
  const status = await untilLeft(
    client,
    Promise.all(printed).then(() => run.exited),
  );
  if (status === undefined) return undefined;
  const note = run.note();
  return { status, ...(note !== undefined && { note }) };
}
