/** What takes the server's disk, and what of it somebody may know. */
import { stat } from 'node:fs/promises';
import { DISK_PARTS, type DiskPart, type DiskUsage, fullName, type NamedImage } from '@walt/contract';
import type { Caller } from '../access/index.ts';
import { diskOf, diskUse, type Paths } from '../platform/index.ts';

/** Milliseconds for which what was counted is believed where a failure tells of it: a full disk fails many at once. */
const BELIEVED = 1000;
/** Users, and things of each, that a sentence names. */
const NAMED = { users: 3, things: 2 };

interface Options {
  paths: Paths;
  /** Bytes of the disk that stay free; undefined: see `diskOf`. */
  reserved: number | undefined;
  /** What users have, with the names of all images. */
  ofUsers: readonly (() => Promise<DiskPart[]>)[];
  /** Images that a caller may see. */
  seen(caller: Caller): Promise<readonly NamedImage[]>;
}

interface Counted {
  users: DiskPart[];
  own: DiskPart[];
  disk: Awaited<ReturnType<typeof diskOf>>;
}

export class DiskUsers {
  readonly #options: Options;
  #believed: { parts: Promise<DiskPart[]>; until: number } | undefined;
  #walk: Promise<unknown> = Promise.resolve();
  #next: Promise<Counted> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** All that is on the disk. Takes as long as a walk over it. */
  async of(caller: Caller): Promise<DiskUsage> {
    const { paths } = this.#options;
    const { users, own, disk } = await this.#count();
    const counted = [...users, ...own];
    const apart = (await isApart(paths)) ? own.filter(({ kind }) => kind === 'caches') : [];
    const other = disk.used - total(counted) + total(apart);
    const rest: DiskPart = { user: null, kind: 'other', name: null, bytes: Math.max(0, other) };
    const parts = withoutHidden([...counted, rest], await this.#options.seen(caller));
    return {
      ...{ folder: paths.state, size: disk.size, free: disk.free, reserved: disk.reserved },
      parts: parts.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes),
    };
  }

  /** Walks over the disk one at a time. Who asks while one goes on shares the next one: it knows all that was done before. */
  #count(): Promise<Counted> {
    this.#next ??= this.#walk.then(async () => {
      this.#next = undefined;
      const { paths, reserved } = this.#options;
      const [users, own, disk] = await Promise.all([
        this.#ofUsers(),
        platformParts(paths),
        diskOf(paths.state, reserved),
      ]);
      return { users, own, disk };
    });
    this.#walk = this.#next.catch(() => {});
    return this.#next;
  }

  /** A sentence for somebody for whom the disk is full; empty: no user has anything. */
  async sentence(caller: Caller): Promise<string> {
    if (!this.#believed || this.#believed.until < Date.now()) {
      this.#believed = { parts: this.#ofUsers(), until: Date.now() + BELIEVED };
    }
    return tellUsers(withoutHidden(await this.#believed.parts, await this.#options.seen(caller)));
  }

  async #ofUsers(): Promise<DiskPart[]> {
    return (await Promise.all(this.#options.ofUsers.map((parts) => parts()))).flat();
  }
}

/** Pure. Images that are not `seen` become one part of their owner's, without a name. */
export function withoutHidden(parts: readonly DiskPart[], seen: readonly NamedImage[]): DiskPart[] {
  const names = new Set(seen.map(fullName));
  const isHidden = ({ user, kind, name }: DiskPart) =>
    kind === 'image' && !names.has(fullName({ owner: user ?? '', name: name ?? '' }));
  const hidden = Map.groupBy(parts.filter(isHidden), ({ user }) => user);
  return [
    ...parts.filter((part) => !isHidden(part)),
    ...[...hidden].map(
      ([user, images]): DiskPart => ({
        ...{ user, kind: 'hidden-images', name: null, bytes: total(images) },
      }),
    ),
  ];
}

/** Pure. Who has most, and of what: `Who has most of it: ann: 3.2 GB (image lab, /persist of n1); bob: 10 MB (image x).` */
export function tellUsers(parts: readonly DiskPart[]): string {
  const byUser = Map.groupBy(
    parts.filter(({ user, bytes }) => user !== null && bytes > 0),
    ({ user }) => user,
  );
  const users = [...byUser].sort(([, a], [, b]) => total(b) - total(a)).slice(0, NAMED.users);
  const told = users.map(([user, own]) => {
    const largest = own.toSorted((a, b) => b.bytes - a.bytes).slice(0, NAMED.things);
    const things = largest.map(({ kind, name }) => [DISK_PARTS[kind], name].filter(Boolean).join(' '));
    return `${user}: ${size(total(own))} (${things.join(', ')})`;
  });
  return told.length === 0 ? '' : `Who has most of it: ${told.join('; ')}.`;
}

function size(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

function total(parts: readonly DiskPart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function platformParts(paths: Paths): Promise<DiskPart[]> {
  const { database, logDatabase, loaders } = paths;
  const whole = (file: string) => [file, `${file}-wal`, `${file}-shm`];
  const places: [kind: DiskPart['kind'], places: string[]][] = [
    ['boot-files', [paths.bootFiles, paths.busybox, paths.reads, ...loaders.slice(0, 2)]],
    ['logs', [paths.logs, ...whole(logDatabase)]],
    ['database', [...whole(database), paths.databaseCopies]],
    ['toolchains', [paths.toolchains]],
    ['caches', [paths.cache]],
    ['reserve', [paths.reserve]],
  ];
  return await Promise.all(
    places.map(async ([kind, all]) => ({ user: null, kind, name: null, bytes: await diskUse(all) })),
  );
}

/** Whether the cache lies on another disk. */
async function isApart({ state, cache }: Paths): Promise<boolean> {
  const [one, other] = await Promise.all([stat(state), stat(cache).catch(() => undefined)]);
  return one.dev !== other?.dev;
}
