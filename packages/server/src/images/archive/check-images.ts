import { fullName, shortDigest } from '@walt/contract';
import { type Finding, left, mended } from '../../platform/index.ts';
import type { Catalogue } from '../catalogue/index.ts';
import type { Committer, Volumes } from '../layers/index.ts';
import type { Store } from '../store/index.ts';
import type { DigestRecord } from '../types.ts';

interface Parts {
  catalogue: Catalogue;
  store: Store;
  volumes: Volumes;
  committer: Committer;
  hasBootFiles(digest: string): Promise<boolean>;
  bootFaults(digest: string): Promise<readonly { name: string; fault: string }[]>;
}

const REPAIR = 'Mend it: walt-server check --repair';

/** What differs between the catalogue, the store, volumes and boot files; mended on the way where `repair` is set and it can be. */
export async function* checkImages(parts: Parts, repair: boolean): AsyncGenerator<Finding> {
  const { catalogue } = parts;
  const names = Map.groupBy(await catalogue.list(), ({ digest }) => digest);
  for (const record of await catalogue.digests()) {
    const called = names.get(record.digest)?.map(fullName).join(', ');
    const title = `Image ${shortDigest(record.digest)} (${called ?? 'an older version'})`;
    yield* checkImage(parts, record, title, repair);
  }
  yield* checkUnknown(parts, repair);
}

async function* checkImage(
  { catalogue, store, volumes, committer, hasBootFiles, bootFaults }: Parts,
  record: DigestRecord,
  title: string,
  repair: boolean,
): AsyncGenerator<Finding> {
  const { digest } = record;
  const reason = await store.inspect(digest).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (reason !== undefined) {
    // It may have been removed meanwhile.
    if (!(await catalogue.digest(digest))) return;
    const next = 'Bring it back from a backup or a registry, or remove its name: walt image remove';
    return yield left('image-lost', `${title}: the store does not have it whole: ${reason}`, next);
  }
  const torn: string[] = [];
  const sizes = await catalogue.layers(record.layers);
  for (const diffId of new Set(record.layers)) {
    const fault = await volumes.fault(
      diffId,
      sizes.get(diffId)?.volume ?? null,
      record.bootPlan === 'nfs-root',
    );
    if (fault === undefined) continue;
    torn.push(diffId);
    const text = `${title}: the volume of its layer ${shortDigest(diffId)} ${fault}.`;
    yield repair ? mended('volume', text, 'It is made again.') : left('volume', text, REPAIR);
  }
  const prepared = await hasBootFiles(digest);
  if (!prepared) {
    const text = `${title}: its boot files are missing, or of an older server.`;
    yield repair ? mended('boot-files', text, 'They are made again.') : left('boot-files', text, REPAIR);
  }
  const faults = prepared ? await bootFaults(digest) : [];
  for (const { name, fault } of faults) {
    const text = `${title}: its boot file ${name} ${fault}.`;
    yield repair ? mended('boot-files', text, 'It is made again.') : left('boot-files', text, REPAIR);
  }
  if (repair && (torn.length > 0 || !prepared || faults.length > 0)) await committer.remake(record, torn);
}

async function* checkUnknown({ catalogue, committer }: Parts, repair: boolean): AsyncGenerator<Finding> {
  const unknown = await committer.unknown();
  if (unknown.length === 0) return;
  const text = (digest: string) => `The store has an image that the database does not know: ${digest}`;
  if (!(await catalogue.mayCollect())) {
    const next = 'It is kept for seven days after a copy of the database was brought back, then removed.';
    for (const digest of unknown) yield left('image-unknown', text(digest), next);
    return;
  }
  if (repair) await committer.collect(new Set(), { grace: Number.POSITIVE_INFINITY });
  const still = new Set(repair ? await committer.unknown() : unknown);
  for (const digest of unknown) {
    const next = repair ? 'A container uses it: it goes when that has ended.' : REPAIR;
    yield still.has(digest)
      ? left('image-unknown', text(digest), next)
      : mended('image-unknown', text(digest), 'It is removed.');
  }
}
