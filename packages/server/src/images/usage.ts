/** What users have on disk of images, and of the work on them. */
import { join } from 'node:path';
import type { DiskPart } from '@walt/contract';
import { type Database, diskUse, namesIn, type Paths, type Retention } from '../platform/index.ts';
import { type Catalogue, type ImageTables, imageUsage } from './catalogue/index.ts';
import type { Containers } from './containers/index.ts';

interface Deps {
  database: Database<ImageTables>;
  retention: Retention;
  catalogue: Catalogue;
  containers: Containers;
  paths: Pick<Paths, 'imageBuilds'>;
}

/** Images with their names, hidden ones too; what was changed in shells that were not saved; what builds keep for the next one. */
export async function diskParts(deps: Deps): Promise<DiskPart[]> {
  return [
    ...(await imageUsage(deps.database, deps.retention)),
    ...(await shellParts(deps)),
    ...(await buildParts(deps.paths)),
  ];
}

async function shellParts({ catalogue, containers }: Deps): Promise<DiskPart[]> {
  const parts: DiskPart[] = [];
  for (const { user, container } of await catalogue.sessions()) {
    const state = await containers.inspect(container);
    if (state) parts.push({ user, kind: 'shells', name: null, bytes: await diskUse([state.folders.upper]) });
  }
  return parts;
}

async function buildParts({ imageBuilds }: Deps['paths']): Promise<DiskPart[]> {
  const parts: DiskPart[] = [];
  for (const user of await namesIn(imageBuilds)) {
    parts.push({ user, kind: 'builds', name: null, bytes: await diskUse([join(imageBuilds, user)]) });
  }
  return parts;
}
