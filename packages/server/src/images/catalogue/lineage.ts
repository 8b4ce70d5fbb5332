/** What the steps of a name mean: which are one image's, which versions it had, and which of them stay. Pure. */
import type { Retention } from '../../platform/index.ts';

/** A move of a name: from `previous` (null: it was absent) to `digest` (null: it was removed). */
export interface Step {
  owner: string;
  name: string;
  digest: string | null;
  previous: string | null;
  /** Unix time in seconds. */
  at: number;
  /** 1: somebody gave up what it left, and what came before it. */
  given_up: number;
}

/**
 * The steps of one image among those of its name, newest first in both. A name may have been another image's before that one was
 * renamed to it: its steps are left out, since they lead to nothing that came later.
 */
export function lineage<S extends Pick<Step, 'digest' | 'previous'>>(steps: readonly S[]): S[] {
  const own: S[] = [];
  for (const step of steps) {
    const later = own.at(-1);
    if (!later || step.digest === later.previous) own.push(step);
  }
  return own;
}

export interface Numbered<S> {
  step: S;
  /** `n` of `NAME@{n}`; null for a removal. */
  version: number | null;
}

/**
 * Numbers the versions that a lineage leads to: 0 is the newest. A rename, or a removal that was undone, makes none; what an
 * undo leads to is one more.
 */
export function numberVersions<S extends Pick<Step, 'digest'>>(steps: readonly S[]): Numbered<S>[] {
  let last: string | null = null;
  let count = 0;
  return steps.map((step) => {
    if (step.digest === null) return { step, version: null };
    if (step.digest !== last) count += 1;
    last = step.digest;
    return { step, version: count - 1 };
  });
}

/** Digests of the versions of a lineage: the one at index `n` is `NAME@{n}`. */
export function versionsOf(steps: readonly Pick<Step, 'digest'>[]): string[] {
  const versions: string[] = [];
  for (const { digest } of steps) if (digest !== null && digest !== versions.at(-1)) versions.push(digest);
  return versions;
}

/**
 * Digests that history keeps, but for those that were given up: of each name, the last `versions` that differ from what it points to, and all that any name, also
 * one that was removed, left in the last `days`, or `grace` seconds. `steps` of all names, newest first.
 */
export function retained(
  steps: readonly Step[],
  retention: Retention,
  grace: number,
  now: number,
): Set<string> {
  const since = now - Math.max(retention.days * 86_400, grace);
  const recent = steps.filter((step) => !step.given_up && step.at > since && step.previous !== step.digest);
  const kept = new Set(recent.flatMap(({ previous }) => (previous === null ? [] : [previous])));
  if (retention.versions === 0) return kept;
  for (const own of Map.groupBy(steps, ({ owner, name }) => `${owner}/${name}`).values()) {
    const newest = own[0]?.digest ?? null;
    if (newest === null) continue;
    const older = new Set(versionsOf(untilGivenUp(lineage(own)))).difference(new Set([newest]));
    for (const digest of [...older].slice(0, retention.versions)) kept.add(digest);
  }
  return kept;
}

/** Of a lineage, the steps that still count; the last of them leads to what the name was when the older ones were given up. */
function untilGivenUp<S extends Pick<Step, 'given_up'>>(steps: readonly S[]): readonly S[] {
  const last = steps.findIndex((step) => step.given_up);
  return last < 0 ? steps : steps.slice(0, last + 1);
}
