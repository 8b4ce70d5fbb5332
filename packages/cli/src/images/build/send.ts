/** What a build is sent: the folder's tar, and what is left out of it is told. */
import { remark } from '../../terminal/output.ts';
import type { ClientJob } from '../job.ts';
import { packContext, type Skipped } from './pack-context.ts';
import type { Source } from './source.ts';

/** Files that are told by name; there may be thousands. */
const MAX_TOLD = 5;

export async function sendContext(job: ClientJob, { folder, rules }: Source): Promise<void> {
  await job.sendFolder(
    'Sending the folder',
    (async function* () {
      const skipped: Skipped[] = [];
      yield* packContext(folder, rules, (one) => skipped.push(one));
      job.hide();
      tellSkipped(skipped);
    })(),
  );
}

function tellSkipped(skipped: readonly Skipped[]): void {
  for (const { path, what } of skipped.slice(0, MAX_TOLD)) {
    remark(`${JSON.stringify(path).replace(/\p{Cc}/gu, '?')} is ${what}: it is not sent.`);
  }
  if (skipped.length > MAX_TOLD) remark(`So are ${skipped.length - MAX_TOLD} more.`);
}
