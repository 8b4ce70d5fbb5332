import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../platform/index.ts';
import type { Containers, TerminalSize } from '../containers/index.ts';
import { TerminalSizer } from '../containers/index.ts';
import { isPodmanError } from '../store/index.ts';
import type { Terminal } from './session.ts';

/** Milliseconds between the end of a terminal and that of its shell. */
export const END_LIMIT = 5000;

/**
 * Attaches to a shell's container, and starts the shell if it is not `running`. `image` is for messages.
 * Throws UserError UNAVAILABLE when the image has no shell.
 */
export async function joinTerminal(
  containers: Containers,
  container: string,
  image: string,
  size: TerminalSize,
  running: boolean,
): Promise<Terminal> {
  const stream = await attach(containers, container, image);
  const sizer = new TerminalSizer({
    ask: (wanted) => containers.resize(container, wanted),
    process: async () => (await containers.inspect(container))?.process,
  });
  // A stream that we destroy ourselves, to detach, neither ends nor fails.
  const exited = new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('error', () => resolve());
  }).then(() => exitStatus(containers, container, image));
  // Whoever is interested in the status handles its failure; where nobody is, it must not bring the server down.
  exited.catch(() => {});
  try {
    if (running) await sizer.redraw(size);
    else {
      // The size first: the shell asks for it as it starts.
      await containers.resize(container, size);
      await containers.start(container);
    }
  } catch (error) {
    stream.destroy();
    throw error;
  }
  return { stream, exited, resize: (wanted) => sizer.resize(wanted) };
}

/** podman looks for the program to run as soon as it makes a container ready. */
async function attach(containers: Containers, container: string, image: string): Promise<Duplex> {
  try {
    return await containers.attach(container);
  } catch (error) {
    if (!isPodmanError(error) || !/"\/bin\/sh".*no such file/.test(error.message)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `Image "${image}" has no shell (/bin/sh), so that none can be opened in it.`,
      'Discard the session; change the image with: walt image cp',
    );
  }
}

async function exitStatus(containers: Containers, container: string, image: string): Promise<number> {
  const ended = containers.ended(container);
  // The terminal ends a moment before podman knows that the shell has; where the shell goes on, the connection broke.
  const broken = delay(END_LIMIT, undefined, { ref: false }).then(async () => {
    const state = await containers.inspect(container);
    if (state?.status === 'running') throw brokenConnection(image);
    return ended;
  });
  return Promise.race([ended, broken]);
}

export function brokenConnection(image: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The connection to the shell of image "${image}" broke; the shell goes on.`,
    'Open it again to resume.',
  );
}
