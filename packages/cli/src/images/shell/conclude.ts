/** The end of an image shell: nothing changed, save, discard, or keep the session for later. */
import type { Connection } from '@walt/client/connection';
import { AbortError, hasCode } from '@walt/client/errors';
import type { ShellSession } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { describeFailure, renderFailure } from '../../errors.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, nameList } from '../../terminal/human.ts';
import { print, remark } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';
import { ask, canAsk } from '../../terminal/prompt.ts';
import { remarkLost } from '../lost-changes.ts';
import { renderChanges } from './changes.ts';

/** `name` true or undefined: the image that the session was opened on. */
export type Decision = { what: 'save'; name?: string | true | undefined } | { what: 'discard' };

interface Options extends YesOption {
  decision: Decision | undefined;
}

export async function concludeSession(
  { client }: Connection,
  image: string,
  { id: session }: ShellSession,
  options: Options,
): Promise<void> {
  const changes = await client.image.shell.changes({ session });
  if (changes.note !== null) remark(changes.note);
  remarkLost(changes.lost);
  const nothing = changes.added + changes.modified + changes.deleted === 0;
  if (nothing || options.decision?.what === 'discard') {
    await client.image.shell.discard({ session });
    print(nothing ? 'Nothing changed.' : `The changes are discarded; ${image} is as it was.`);
    return;
  }
  remark(renderChanges(changes));
  if (changes.refusal !== null) throw refused(image, changes.refusal);
  if (options.decision === undefined && !canAsk()) throw undecided(image);
  const users = changes.nodes;
  if (users.length > 0) {
    remark(`${nameList(users)} ${conjugate(users, 'boots', 'boot')} ${image}; what runs is not disturbed.`);
  }
  for (;;) {
    const name = options.decision === undefined ? await askName(image) : options.decision.name;
    try {
      const saved = await confirming(options, (yes) =>
        follow(client.image.shell.save({ session, yes, ...(typeof name === 'string' && { name }) })),
      );
      print(
        saved.changed
          ? `${saved.image} is saved (${shortDigest(saved.digest)}).`
          : 'Nothing changed: nothing was saved.',
      );
      return await offerReboot(client, saved.nodes);
    } catch (error) {
      // A name that is not accepted is asked for again; everything else ends the command, and the session waits.
      if (options.decision !== undefined || !isAboutName(error)) throw withResumeHint(error, image);
      process.stderr.write(renderFailure(describeFailure(error), false));
    }
  }
}

function isAboutName(error: unknown): boolean {
  return ['INVALID', 'CONFIRM', 'CONFLICT'].some((code) => hasCode(error, code));
}

/** The name to save under; undefined for the same image. Throws when the user gives up. */
async function askName(image: string): Promise<string | undefined> {
  const answer = await ask(`New image name [${image}]: `);
  if (answer === undefined) {
    throw new AbortError(
      'CANCELLED',
      `Not saved yet: the session on ${image} waits, with all its changes.`,
      `\`walt image shell ${image}\` goes on with it.`,
    );
  }
  return answer === '' || answer === image ? undefined : answer;
}

function refused(image: string, why: string): AbortError {
  return new AbortError(
    'INVALID',
    `${why} The session on ${image} waits, with all its changes.`,
    `\`walt image shell ${image}\` goes on with it: rename that file; --discard throws all changes away.`,
  );
}

function undecided(image: string): AbortError {
  return new AbortError(
    'UNDECIDED',
    `The changes are not saved yet: the session on ${image} waits.`,
    `\`walt image shell ${image} --save [NAME]\` saves them, --discard throws them away.`,
  );
}

/** A failed save loses nothing; the user should know it. */
function withResumeHint(error: unknown, image: string): AbortError {
  const { code, message, hint } = describeFailure(error);
  const waits = `The session on ${image} waits, with all its changes.`;
  return new AbortError(code, message, [hint, waits].filter(Boolean).join(' '));
}
