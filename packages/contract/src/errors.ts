/** The errors that any call may end with. Each carries a sentence (`message`) and the next step (`data.hint`). */
import * as z from 'zod';

const data = z.object({ hint: z.string() });

export const errors = {
  /** Input is well-formed but cannot be meant: wrong combination, reserved word, out of range. */
  INVALID: { status: 422, data },
  /** No such node, image, session or topic. */
  NOT_FOUND: { status: 404, data },
  /** The name is taken, or the thing is in use. */
  CONFLICT: { status: 409, data },
  /** The caller may not do this. */
  FORBIDDEN: { status: 403, data },
  /** The caller did not prove who he is, or his token ran out. */
  UNAUTHENTICATED: { status: 401, data },
  /** Others' work, or nodes that run, are at stake: ask, then repeat the call with `yes: true`. */
  CONFIRM: { status: 412, data },
  /** The caller has as much open at the server as he may. */
  BUSY: { status: 429, data },
  /** Client and server speak contracts of different major versions. */
  VERSION: { status: 426, data },
  /** A waiting time ran out. */
  TIMEOUT: { status: 408, data },
  /** The world is not ready: node not booted, disk full, missing device. */
  UNAVAILABLE: { status: 503, data },
  /** An outside program failed; `message` names it and ends with what it printed last. */
  EXTERNAL: { status: 502, data },
} as const;

export type ErrorCode = keyof typeof errors;
