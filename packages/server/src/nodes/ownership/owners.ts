import { PLATFORM_OWNER } from '@walt/contract';

/** Whose a node is: who owns the image that it boots. Null: the node is free. */
export function ownerOf({ image_owner }: { image_owner: string }): string | null {
  return image_owner === PLATFORM_OWNER ? null : image_owner;
}

/** Whose boot runs; null: a free one, or none yet. */
export function bootOwnerOf({ boot_owner }: { boot_owner: string | null }): string | null {
  return boot_owner === PLATFORM_OWNER ? null : boot_owner;
}

/** As the rows of the policy want to know them. */
export function owned<Row extends { name: string; image_owner: string }>(rows: readonly Row[]) {
  return rows.map((row) => ({ name: row.name, owner: ownerOf(row) }));
}
