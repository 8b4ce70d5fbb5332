/** Key `quotas` of server.conf: how much of the platform a user may have. */
import * as z from 'zod';

/** What there are quotas of, as the configuration calls it. */
export const QUOTA_NAMES = ['virtual-nodes', 'cores', 'memory', 'images', 'persist'] as const;
export type QuotaName = (typeof QUOTA_NAMES)[number];

/** Numbers of things, or bytes. Infinity: as much as there is. What is absent is told elsewhere. */
export type QuotaSet = Readonly<Partial<Record<QuotaName, number>>>;

export interface QuotaConfig {
  /** Of everybody of whom nothing nearer is said. */
  default: QuotaSet;
  /** By role. */
  roles: ReadonlyMap<string, QuotaSet>;
  /** By group of the machine. */
  groups: ReadonlyMap<string, QuotaSet>;
  /** By login. */
  users: ReadonlyMap<string, QuotaSet>;
}

export const NO_QUOTAS: QuotaConfig = {
  default: {},
  roles: new Map(),
  groups: new Map(),
  users: new Map(),
};

const MIB = 1024 * 1024;
/** An exbibyte: whole numbers are exact up to there. */
const MOST_MIB = 2 ** 33;

const amount = (most: number) => z.union([z.int().min(0).max(most), z.literal('unlimited')]);
const asNumber = (value: number | 'unlimited', unit: number) =>
  value === 'unlimited' ? Number.POSITIVE_INFINITY : value * unit;

const quotaSet = z
  .strictObject({
    /** Counts for its owner; one that nobody owns counts for who made it. So do its cores and its memory. */
    'virtual-nodes': amount(1_000_000).optional(),
    cores: amount(1_000_000).optional(),
    /** MiB. */
    memory: amount(MOST_MIB).optional(),
    /** MiB on disk, of all versions that are kept; layers that came with a default image do not count. */
    images: amount(MOST_MIB).optional(),
    /** MiB: of each node of the user's the size of its /persist, of all others what is stored there. */
    persist: amount(MOST_MIB).optional(),
  })
  .transform((set): QuotaSet => {
    const unit = { 'virtual-nodes': 1, cores: 1, memory: MIB, images: MIB, persist: MIB };
    return Object.fromEntries(
      QUOTA_NAMES.flatMap((name) => {
        const value = set[name];
        return value === undefined ? [] : [[name, asNumber(value, unit[name])]];
      }),
    );
  });

/** As in `access`, without the @ of groups. */
const loginOrGroup = z.string().regex(/^[^@:,/\p{Cc}\s-][^@:,/\p{Cc}]{0,254}$/u, {
  error: 'must be the name of a login, or of a group',
});

const byName = <Key extends z.ZodString | z.ZodEnum>(key: Key) =>
  z
    .partialRecord(key, quotaSet)
    .prefault({})
    .transform(
      (sets): ReadonlyMap<string, QuotaSet> =>
        new Map(
          Object.entries<QuotaSet | undefined>(sets).flatMap(([name, set]) =>
            set ? [[name, set] as const] : [],
          ),
        ),
    );

export const quotaConfig = z
  .strictObject({
    default: quotaSet.prefault({}),
    roles: byName(z.enum(['viewer', 'member', 'administrator'])),
    groups: byName(loginOrGroup),
    users: byName(loginOrGroup),
  })
  .prefault({})
  .transform((quotas): QuotaConfig => quotas);
