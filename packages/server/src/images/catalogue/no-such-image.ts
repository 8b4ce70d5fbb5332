import { fullName, type NamedImage, PLATFORM_OWNER } from '@walt/contract';
import { nearNames, UserError } from '../../platform/index.ts';

/** `seen`: what whoever named it may see. */
export function noSuchImage(image: NamedImage, seen: readonly NamedImage[]): UserError {
  return new UserError('NOT_FOUND', `There is no image named "${fullName(image)}".`, hintFor(image, seen));
}

/** What somebody may have meant: a near name of the same owner, or the same name of another. */
function hintFor({ owner, name }: NamedImage, all: readonly NamedImage[]): string {
  const own = all.filter((image) => image.owner === owner).map((image) => image.name);
  const near = nearNames(name, own);
  if (near.length > 0) return `Did you mean ${near.join(' or ')}?`;
  const others = all.filter((image) => image.name === name).map((image) => image.owner);
  const chosen = others.includes(PLATFORM_OWNER) ? PLATFORM_OWNER : others[0];
  if (chosen === undefined) return 'See all images with: walt image show --all';
  const use = chosen === PLATFORM_OWNER ? 'use that name, or make' : 'make';
  return `There is ${chosen}/${name}: ${use} it yours with: walt image clone walt:${chosen}/${name}`;
}
