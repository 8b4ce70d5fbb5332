import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { readAptSetup } from '../packages/server/src/images/recipes/apt-sources.ts';
import {
  mmdebstrapCommand,
  parsePackages,
  RECIPE,
  recipeKey,
} from '../packages/server/src/images/recipes/recipe.ts';

/** Where a cache keeps the default image of an architecture: the product imports what is there, and makes it where it is not. */
export async function defaultTar(architecture: Architecture, cache: string): Promise<string> {
  const apt = await readAptSetup();
  const packages = parsePackages(await readFile(join(RECIPE, 'packages'), 'utf8'), architecture);
  const key = await recipeKey(mmdebstrapCommand({ architecture, packages, apt, tar: '' }));
  return join(cache, `default-${architecture}-${key}.tar`);
}
