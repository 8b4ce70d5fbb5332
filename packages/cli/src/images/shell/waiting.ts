/** What to do when a session waits on the image already. */
import { AbortError } from '@walt/client/errors';
import type { ShellSession } from '@walt/contract';
import type { YesOption } from '../../terminal/confirm.ts';
import { humanDate } from '../../terminal/human.ts';
import { remark } from '../../terminal/output.ts';
import { ask, canAsk } from '../../terminal/prompt.ts';
import type { Decision } from './conclude.ts';

export interface ShellOptions extends YesOption {
  /** The call that opens a session, unless one that waits is wanted. */
  opening: Promise<ShellSession> | undefined;
  /** Made in advance, by an option; undefined: ask. */
  decision: Decision | undefined;
}

export type Choice = 'resume' | 'save' | 'discard' | 'leave';

const KEYS: Readonly<Record<string, Choice>> = {
  r: 'resume',
  s: 'save',
  d: 'discard',
  c: 'leave',
  '': 'leave',
};

/** From the options, else from the user. Throws CONFLICT when there is nobody to ask. */
export async function chooseForWaiting(
  session: ShellSession,
  image: string,
  { opening, decision }: ShellOptions,
): Promise<Choice> {
  if (opening === undefined) return 'resume';
  if (decision !== undefined) return decision.what;
  if (!canAsk()) {
    throw new AbortError(
      'CONFLICT',
      `A session waits on ${image} since ${humanDate(session.opened)}.`,
      'Repeat with --resume, --save or --discard.',
    );
  }
  return askWhat(session, image);
}

async function askWhat(session: ShellSession, image: string): Promise<Choice> {
  const where = session.attached ? 'is open in another terminal' : 'waits';
  remark(`A session ${where} on ${image} since ${humanDate(session.opened)}.`);
  for (;;) {
    const answer = await ask('[r]esume, [s]ave, [d]iscard its changes, or [c]ancel? ');
    if (answer === undefined) return 'leave';
    const choice = KEYS[answer.toLowerCase().slice(0, 1)];
    if (choice !== undefined) return choice;
  }
}
