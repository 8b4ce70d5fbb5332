import {
  BOOT_STEPS,
  type BootCause,
  type BootFailure,
  type BootStep,
  type NodeBoot,
  PLATFORM_OWNER,
} from '@walt/contract';
import { type Caller, isAllowed, type OwnedNode } from '../../access/index.ts';
import { ownerOf } from '../ownership/index.ts';
import type { NodeBootTable } from '../tables.ts';

export type Times = Readonly<Partial<Record<BootStep | 'left', number>>>;

/** A boot as the table has it. */
export type BootRow = Omit<NodeBootTable, 'id' | 'cause' | 'steps' | 'failure'> & {
  id: number;
  cause: BootCause;
  times: Times;
  failure: BootFailure | null;
};

/** Seconds in which a loader that has loaded nothing yet may ask for its script once more. */
const ASKING = 120;

export function readRow({
  steps,
  failure,
  cause,
  ...row
}: Omit<NodeBootTable, 'id'> & { id: number }): BootRow {
  return {
    ...row,
    cause: cause as BootCause,
    times: JSON.parse(steps),
    failure: failure === null ? null : JSON.parse(failure),
  };
}

/** Pure. What is now known of a boot: the first time of each step stays. */
export function withTimes(times: Times, more: Times): Times {
  return { ...more, ...times };
}

/** Pure. Whether a node that asks for a script goes on with a boot, rather than beginning another one. */
export function goesOn(
  last: BootRow,
  { generation, digest }: Pick<BootRow, 'generation' | 'digest'>,
  now: number,
): boolean {
  const { times, failure } = last;
  const isSame = last.generation === generation && last.digest === digest;
  const isUnused = times.kernel === undefined && times.initramfs === undefined && times.booted === undefined;
  return isSame && isUnused && failure === null && now - (times.asked ?? 0) < ASKING;
}

/** Pure. Why a node boots that nobody told to. */
export function causeOf(last: BootRow | undefined): BootCause {
  if (!last) return 'new';
  const { booted, kexec } = last.times;
  // A kernel that was started by another one says nothing before its initramfs does.
  if (booted === undefined && (last.failure !== null || kexec !== undefined)) return 'failure';
  return last.times.left === undefined ? 'unknown' : 'itself';
}

/** A node's boots, newest first, as somebody sees them: what it printed for another user is not his to read. */
export function bootsSeenBy(caller: Caller, rows: readonly BootRow[], node: OwnedNode): NodeBoot[] {
  return rows.map((row, index) =>
    viewBoot({ ...row, failure: failureSeenBy(caller, row, node) }, index === 0),
  );
}

/** Without what the node printed, for whoever may not use what booted there. */
export function failureSeenBy(
  caller: Caller | undefined,
  { image, failure }: BootRow,
  node: Pick<OwnedNode, 'owner' | 'guest'>,
): BootFailure | null {
  const [image_owner = PLATFORM_OWNER] = image?.split('/') ?? [];
  const owner = ownerOf({ image_owner });
  const about = { name: image ?? '', owner, guest: node.guest === true && node.owner === owner };
  const isOpen = caller !== undefined && isAllowed('node.use', caller, about);
  return failure && (isOpen ? failure : { ...failure, console: [] });
}

/** Pure. The last step that a boot has done. */
export function lastStep(row: BootRow): { step: BootStep; since: number } | undefined {
  const last = stepsOf(row).at(-1);
  return last && { step: last.step, since: last.at };
}

/** In the order of their times. */
function stepsOf({ times }: BootRow): NodeBoot['steps'] {
  return BOOT_STEPS.flatMap((step) => {
    const at = times[step];
    return at === undefined ? [] : [{ step, at }];
  }).sort((one, other) => one.at - other.at);
}

function viewBoot(row: BootRow, isLast: boolean): NodeBoot {
  return {
    generation: row.generation,
    attempt: row.attempt,
    cause: row.cause,
    user: row.user,
    began: row.began,
    state: stateOf(row, isLast),
    image: row.image,
    digest: row.digest,
    kernel: row.kernel,
    initramfs: row.initramfs,
    platform: row.platform,
    steps: stepsOf(row),
    left: row.times.left ?? null,
    noKexec: row.no_kexec,
    failure: row.failure,
  };
}

function stateOf({ digest, times, failure }: BootRow, isLast: boolean): NodeBoot['state'] {
  if (times.booted !== undefined) return 'booted';
  if (failure !== null) return 'failed';
  if (!isLast) return 'lost';
  return digest === null ? 'waiting' : 'booting';
}
