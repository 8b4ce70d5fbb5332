import {
  fullName,
  type imageContract,
  type JobEnd,
  parseImageReference,
  type ShellSession,
} from '@walt/contract';
import { type Caller, type CallsOf, demand } from '../../access/index.ts';
import { feed, type JobClient, untilLeft } from '../jobs/index.ts';
import type { SessionRecord } from '../sessions/index.ts';
import { type CallDeps, describeSaved } from './deps.ts';
import { findImage } from './find.ts';
import { confirmReplacement } from './replacing.ts';

/** The contract's calls about shell sessions. */
export function sessionCalls({ images, nodes }: CallDeps): CallsOf<(typeof imageContract)['shell']> {
  return {
    list: async (caller, { image }) => {
      const target = image === undefined ? undefined : parseImageReference(image, caller.user);
      const sessions = await images.shells.list();
      return sessions
        .filter((one) => one.user === caller.user && (!target || one.image === fullName(target)))
        .map(describeSession);
    },

    open: async (caller, { image }) => {
      const record = await findImage(images, image, caller);
      demand('image.change', caller, record);
      return describeSession(await images.shells.open(caller.user, record));
    },

    changes: async (caller, input) => {
      const { id, image } = await ownSession(images, caller, input.session);
      const [changes, users] = await Promise.all([images.shells.changes(id), nodes.nodesByImage()]);
      return { ...changes, nodes: [...(users.get(image) ?? [])] };
    },

    save: async (caller, { session: id, name, yes }) => {
      const { image } = await ownSession(images, caller, id);
      const target =
        name === undefined ? parseImageReference(image, caller.user) : { owner: caller.user, name };
      demand('image.change', caller, target);
      const replaced = fullName(target) === image ? undefined : await confirmReplacement(images, target, yes);
      const saving = images.shells.save(caller.user, id, target, replaced);
      return (async function* () {
        const { image: saved, changed } = yield* saving;
        yield { type: 'result' as const, value: await describeSaved(nodes, saved, changed) };
      })();
    },

    discard: async (caller, input) => {
      const { id } = await ownSession(images, caller, input.session);
      await images.shells.discard(id);
      return { discarded: id };
    },
  };
}

/**
 * Joins a client and the terminal of a session, until the shell ends or the client leaves: then the shell goes on. Throws as
 * `ShellSessions.attach`.
 */
export async function attachToSession(
  { images }: CallDeps,
  caller: Caller,
  session: string,
  client: JobClient,
): Promise<JobEnd | undefined> {
  await ownSession(images, caller, session);
  const { stream, exited, resize } = await images.shells.attach(session, client.size);
  try {
    client.onResize(resize);
    // Nobody ends a terminal by sending no more: what ends its input is typed.
    feed(client.input(), stream, { end: false });
    const ended = client.output('stdout', stream).then(() => exited);
    const status = await untilLeft(client, ended);
    return status === undefined ? undefined : { status };
  } finally {
    stream.destroy();
  }
}

/** Throws UserError NOT_FOUND, or FORBIDDEN for another user's. */
async function ownSession(images: CallDeps['images'], caller: Caller, id: string): Promise<SessionRecord> {
  const found = await images.shells.get(id);
  demand('session.use', caller, found);
  return found;
}

function describeSession({ user: _, ...session }: SessionRecord): ShellSession {
  return session;
}
