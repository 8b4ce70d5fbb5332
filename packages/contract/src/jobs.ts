/**
 * Jobs with bytes: builds, commands, shells. A call `open` checks what is wanted and answers the job's id; the stream `job` attaches to
 * it. An id of 32 digits is good for one attachment by the same user, within a minute: that is the job, and it ends with whoever leaves.
 * The id of a shell session is good until the session is saved or discarded: who leaves only detaches, and may come again.
 *
 * On the stream, `ready` tells that the job takes bytes: builds take a tar of the client's folder, commands and shells what they read.
 * The client sends them as binary messages, and the frame `end` when there are no more. Each binary message from the server begins
 * with one byte, its channel (`jobChannels`): `event` is a `JobEvent` as JSON, `stdout` and `stderr` are what the job prints (a
 * terminal has `stdout` only), `files` is a tar of what it changed in the client's folder. The last frame is `exit`, with what the job
 * came to, or `error`.
 *
 * Jobs without bytes are calls that answer an event iterator (progress.ts), whose `progress` is this one.
 */
import * as z from 'zod';
import type { Progress } from './progress.ts';
import type { LostChange, NodeChange, SavedImage } from './saved.ts';
import { jobId } from './schemas.ts';

export type JobEvent =
  | { type: 'ready' }
  | Progress
  /** The command has ended; what follows is the return of files, and the saving. */
  | { type: 'ended'; status: number }
  /** Paths relative to the folder, children before their folders; may come several times. */
  | { type: 'deleted'; paths: string[] }
  /** Of a node, sorted by path; may come several times. */
  | { type: 'changes'; changes: NodeChange[] };

export interface JobEnd {
  status: number;
  /** Absent: nothing was to be saved, or the job did not succeed. */
  saved?: SavedImage;
  /** What of it was not saved. */
  lost?: LostChange[];
  /** What the user should know of its end, in a sentence. */
  note?: string;
}

/** What a call answers that opens a job. */
export const openedJob = z.object({ job: jobId });
