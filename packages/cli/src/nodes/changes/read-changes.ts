/**
 * Folder `nodes/changes/`: what was changed on a node since it booted: `walt node save` and `walt node verify`.
 *
 * This file has the node send it to the server: by ssh to here, and on.
 */
import type { ChildProcess } from 'node:child_process';
import { Writable } from 'node:stream';
import type { Connection } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import type { LostChange, NodeChange } from '@walt/contract';
import { ClientJob } from '../../images/job.ts';
import { openDoor } from '../../ssh/door.ts';
import { shellLine } from '../../ssh/remote-line.ts';
import { eachLine } from '../../ssh/run.ts';
import { exitStatus, start } from '../../ssh/spawn.ts';
import { remark } from '../../terminal/output.ts';
import { SEND_CHANGES } from './remote-script.ts';

export interface FoundChanges {
  /** Sorted by path. */
  changes: NodeChange[];
  /** What of them no image can hold. */
  lost: LostChange[];
  /** Why none can be saved; null: they can. */
  refusal: string | null;
  /** Paths of which something changed while they were read. */
  unsteady: string[];
}

/** Bytes of the program that the node is lent: it has some two million. */
const MAX_PROGRAM = 64 * 1024 * 1024;

/** Carries out a job of `node.changes.open` for a node that ssh can reach. Throws AbortError when the node or the server ends it. */
export async function readChanges(connection: Connection, node: string, job: string): Promise<FoundChanges> {
  const program: Buffer[] = [];
  const changes: NodeChange[] = [];
  const unsteady: string[] = [];
  let size = 0;
  const complain = (line: string) => remark(`${node}: ${line}`);
  await using door = await openDoor(connection, node, complain);
  // While the server gets its program ready, the node is called: an emulated one takes a second to answer.
  using sender = startSender(node, door.config);
  const sink = new Writable({
    write(bytes: Buffer, _encoding, done) {
      size += bytes.length;
      if (size <= MAX_PROGRAM) program.push(bytes);
      done();
    },
  });
  const own = new ClientJob(connection, job, {
    sinks: { stdout: sink, stderr: process.stderr },
    send: async (sending) => {
      await sendFrom(sender, node, Buffer.concat(program), sending, unsteady);
    },
    lost: [
      'The connection to the server was lost: no image was changed.',
      'See `sudo walt-server status`, then repeat the command.',
    ],
    onEvent: (event) => {
      if (event.type === 'changes') changes.push(...event.changes);
    },
  });
  const { lost = [], note = null } = await own.end();
  return { changes, lost, refusal: note, unsteady };
}

interface Sender extends Disposable {
  ssh: ChildProcess;
  /** Its exit status; rejects when there is no ssh. */
  ended: Promise<number>;
}

function startSender(node: string, config: string): Sender {
  const line = shellLine(['sh', '-c', SEND_CHANGES]);
  const ssh = start('ssh', ['-F', config, '-T', '--', node, line], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = exitStatus(ssh, 'ssh');
  ended.catch(() => {}); // whoever reads the tar hears of it
  // It may end before anybody has something to tell it.
  ssh.stdin?.on('error', () => {});
  return { ssh, ended, [Symbol.dispose]: () => void ssh.kill() };
}

/** Gives the node the program, and the server what it prints. */
async function sendFrom(
  { ssh, ended }: Sender,
  node: string,
  program: Buffer,
  job: ClientJob,
  unsteady: string[],
): Promise<void> {
  const { stdin, stdout } = ssh;
  if (!stdin || !stdout) throw new TypeError('ssh was started without pipes');
  const complaints = eachLine(ssh.stderr, (line) => {
    const path = changedMeanwhile(line);
    if (path === undefined) remark(`${node}: ${line}`);
    else unsteady.push(path);
  });
  // Where the program does not start, its status tells why.
  stdin.end(program);
  const tar = async function* () {
    yield* stdout as AsyncIterable<Buffer>;
    const status = await ended;
    await complaints;
    // A tar that broke off on the node must break off here too. 1: something changed while it was read, which was told.
    if (status > 1) throw unsent(node, status);
  };
  await job.sendFolder(`Reading what was changed on ${node}`, tar());
}

/** What GNU tar complains of that has changed while it was read. */
export function changedMeanwhile(line: string): string | undefined {
  const [, path] =
    /^\S*\/tar: \.(\/.*?): (?:file changed as we read it|File removed before we read it|File shrank by \d+ bytes.*)$/.exec(
      line,
    ) ?? [];
  return path;
}

function unsent(node: string, status: number): AbortError {
  if (status === 4) {
    return new AbortError(
      'UNAVAILABLE',
      `The agent of ${node} does not run any more: only by it, what was changed there can be read.`,
      `Copy what matters (walt node cp), then: walt node reboot ${node}`,
    );
  }
  return new AbortError(
    status === 255 ? 'UNAVAILABLE' : 'EXTERNAL',
    `${node} could not send all that was changed on it (exit status ${status}). No image was changed.`,
    'What it said is above.',
  );
}
