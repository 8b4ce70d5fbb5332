/**
 * Folder `images/shell/`: `walt image shell`.
 *
 * This file: which session to take, the shell itself, what becomes of the changes.
 */
import type { Connection } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { attachToJob } from '@walt/client/job';
import type { ShellSession } from '@walt/contract';
import { attach } from '../../terminal/attach.ts';
import { paintRemarks, remark } from '../../terminal/output.ts';
import { terminalSize } from '../../terminal/terminal.ts';
import { concludeSession } from './conclude.ts';
import { chooseForWaiting, type ShellOptions } from './waiting.ts';

export async function shellOnImage(
  connection: Connection,
  image: string,
  options: ShellOptions,
): Promise<void> {
  const { client } = connection;
  let failure: unknown;
  const opened = await options.opening?.catch((error: unknown) => {
    failure = error;
  });
  if (opened) return enter(connection, image, opened, options);
  const [waiting] = await client.image.shell.list({ image });
  if (waiting === undefined) throw failure ?? nothingWaits(image);
  const choice = await chooseForWaiting(waiting, image, options);
  switch (choice) {
    case 'resume':
      return enter(connection, image, waiting, options);
    case 'save':
      // Chosen from the menu: the name is asked for.
      return concludeSession(connection, image, waiting, options);
    case 'discard':
      return concludeSession(connection, image, waiting, { ...options, decision: { what: 'discard' } });
    case 'leave':
      remark(`The session on ${image} goes on waiting.`);
  }
}

async function enter(
  connection: Connection,
  image: string,
  session: ShellSession,
  options: ShellOptions,
): Promise<void> {
  if (session.emulated) remark(emulationNote(image, session));
  if (session.init) remark(`The init of ${image} is started; it is shut down when you leave the shell.`);
  const end = await attach({
    open: (handlers) =>
      attachToJob(
        connection,
        { job: session.id, ...terminalSize() },
        { onOpen: handlers.onOpen, onOutput: (_, bytes) => handlers.onData(bytes) },
      ),
    resize: true,
    piped: process.stdin.isTTY !== true,
  });
  if (end.how !== 'exit') {
    throw new AbortError(
      'UNAVAILABLE',
      `The connection to the shell on ${image} was lost; the session waits, with all its changes.`,
      `\`walt image shell ${image}\` goes on with it.`,
    );
  }
  await concludeSession(connection, image, session, options);
}

function nothingWaits(image: string): AbortError {
  return new AbortError(
    'NOT_FOUND',
    `No session waits on ${image}.`,
    `\`walt image shell ${image}\` opens one.`,
  );
}

function emulationNote(image: string, { architecture }: ShellSession): string {
  const text = `${image} is an ${architecture} image: its programs run under emulation, slowly.`;
  return process.stderr.isTTY ? paintRemarks()(text, 'yellow') : text;
}
